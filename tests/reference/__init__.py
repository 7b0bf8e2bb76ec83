"""Plain, independent NumPy/SciPy (or eager PyTorch) statements of what the library computes."""
