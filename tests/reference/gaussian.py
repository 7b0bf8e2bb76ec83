"""The published generator of blur kernels, one at a time: matrix form in NumPy, `scipy.ndimage.shift`."""

import math

import numpy as np
from scipy import ndimage


def gaussian_kernel(
    variances: tuple[float, float], theta: float, scale: int, size: int, gain: np.ndarray | None = None
) -> np.ndarray:
    """Draw the Gaussian right of and below the centre, cut it off, multiply the noise in, move it back."""
    axis = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
    precision = np.linalg.inv(axis @ np.diag(variances) @ axis.T)
    mean = size // 2 + 0.5 * (scale - size % 2)
    raw = np.empty((size, size))
    for row in range(size):
        for column in range(size):
            offset = np.array([column - mean, row - mean])
            raw[row, column] = math.exp(-0.5 * offset @ precision @ offset)
    if gain is not None:
        raw = raw * gain
    wanted = (size - scale) / 2
    moved = ndimage.shift(raw, wanted - np.array(ndimage.center_of_mass(raw)))
    return moved / moved.sum()
