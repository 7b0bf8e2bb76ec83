"""Blind image super-resolution across scenes."""

__version__ = "0.1.0"
