"""Kernel sets as people have them, and a plain NumPy reference of how a pool varies them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def blob(side: int, row: float, column: float, down: float, across: float | None = None) -> NDArray:
    """A Gaussian of standard deviations `down` and `across` with sum 1."""
    r, c = np.mgrid[:side, :side]
    kernel = np.exp(-((r - row) ** 2) / (2 * down**2) - (c - column) ** 2 / (2 * (across or down) ** 2))
    return kernel / kernel.sum()


def write_pool(folder: Path, count: int, sides: tuple[int, ...], seed: int = 0) -> Path:
    """`count` upright Gaussians of random widths as k00.npy, k01.npy, ..., centred in windows of the sides in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for index in range(count):
        side = sides[index % len(sides)]
        down, across = rng.uniform(0.8, 1.6, 2)
        np.save(folder / f"k{index:02d}.npy", blob(side, (side - 1) / 2, (side - 1) / 2, down, across))
    return folder


def warp(kernel: NDArray, matrix: NDArray, move: NDArray, centre: float, size: int) -> NDArray:
    """out(p) = kernel(centre of mass + matrix^-1 (p - centre - move)) by plain bilinear look-up, not normalised."""
    grid = np.arange(len(kernel))
    middle = np.array([kernel.sum(1) @ grid, kernel.sum(0) @ grid]) / kernel.sum()
    padded = np.pad(kernel, 1)
    out = np.zeros((size, size))
    for p in np.ndindex(size, size):
        row, column = middle + np.linalg.solve(matrix, np.array(p) - centre - move) + 1
        if not (0 <= row < len(padded) - 1 and 0 <= column < len(padded) - 1):
            continue
        r, c = int(row), int(column)
        u, v = row - r, column - c
        out[p] = (1 - u) * ((1 - v) * padded[r, c] + v * padded[r, c + 1]) + u * (
            (1 - v) * padded[r + 1, c] + v * padded[r + 1, c + 1]
        )
    return out
