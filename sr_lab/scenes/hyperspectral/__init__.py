"""Hyperspectral cubes: files, one scale for all bands, pictures, splits by flight."""
