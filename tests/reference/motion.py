"""Motion kernels the slow way: SciPy's linear warp of a row of ones, and splatting point by point."""

import numpy as np
from scipy.ndimage import affine_transform


def line(size: int, centre: int, half: int, degrees: float) -> np.ndarray:
    """A row of 2 half + 1 ones through `centre`, turned about it with linear interpolation, sum 1."""
    row = np.zeros((size, size))
    row[centre, centre - half : centre + half + 1] = 1
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[cos, -sin], [sin, cos]])
    about = np.full(2, float(centre))
    start = about - turn @ about
    turned = affine_transform(row, turn, offset=start, order=1)  # type: ignore[arg-type]
    return turned / turned.sum()


def splat(points: np.ndarray, size: int) -> np.ndarray:
    """Add each (row, column) point of equal mass to its four neighbours."""
    out = np.zeros((size + 1, size + 1))
    for row, column in points:
        r, c = int(np.floor(row)), int(np.floor(column))
        dr, dc = row - r, column - c
        out[r, c] += (1 - dr) * (1 - dc)
        out[r + 1, c] += dr * (1 - dc)
        out[r, c + 1] += (1 - dr) * dc
        out[r + 1, c + 1] += dr * dc
    return out[:size, :size] / len(points)
