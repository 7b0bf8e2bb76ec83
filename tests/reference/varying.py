"""Spatially varying blur pixel by pixel in NumPy."""

import numpy as np


def blur_decimate_varying(image: np.ndarray, grid: np.ndarray, stride: int, phase: int = 0) -> np.ndarray:
    """Correlate an (H, W) image, reflected at its edges, with the kernel of each pixel.

    The kernel of LR pixel i of n lies at (i + 1/2) / n between the edges, on which the (g, g, k, k) grid has its ends.
    """
    nodes, size = len(grid), grid.shape[-1]
    padded = np.pad(image, size // 2, mode="reflect")
    rows, columns = (range(phase, side, stride) for side in image.shape)
    out = np.empty((len(rows), len(columns)))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            y, x = ((k + 0.5) / n * (nodes - 1) for k, n in ((i, len(rows)), (j, len(columns))))
            top, left = min(int(y), nodes - 2), min(int(x), nodes - 2)
            b, a = y - top, x - left
            upper = (1 - a) * grid[top, left] + a * grid[top, left + 1]
            lower = (1 - a) * grid[top + 1, left] + a * grid[top + 1, left + 1]
            kernel = (1 - b) * upper + b * lower
            out[i, j] = (padded[row : row + size, column : column + size] * kernel).sum()
    return out
