"""Files to arrays and back, with their metadata; NumPy only, and it knows nothing of the rest of the package.

`atomic` writes whole files or none, `images` reads and writes pictures, `kernels` does so for blur kernels.
"""
