"""Infrared (thermal) frames: files in counts or temperatures, one gain and offset an image, pictures, splits."""
