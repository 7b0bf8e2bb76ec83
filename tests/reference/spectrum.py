"""Expected spectrum of a blurred, decimated image, written down with loops over aliases; NumPy only."""

import numpy as np


def expected(fy: float, fx: float, scale: int, cov: np.ndarray, beta: np.ndarray, noise: float) -> float:
    """S(f) at one LR frequency; `cov` in LR pixels squared, x first."""
    total = noise
    for i in range(scale):
        for j in range(scale):
            y, x = fy + i, fx + j
            y, x = (v - scale if v >= scale / 2 else v for v in (y, x))
            gain = np.exp(-2 * np.pi**2 * np.array([x, y]) @ cov @ np.array([x, y])) ** 2
            r = np.hypot(y, x) / scale
            angle = np.arctan2(y, x)
            octave = np.log(r / 0.1)
            terms = [1, octave, octave**2, np.cos(2 * angle), np.sin(2 * angle), np.cos(4 * angle)]
            total += gain * np.exp(np.dot(terms, beta))
    return float(total)


def power(kernel: np.ndarray, fy: float, fx: float, scale: int) -> float:
    """|H|^2 of a kernel on the HR grid at one frequency in cycles per LR pixel."""
    total = 0j
    for (row, column), value in np.ndenumerate(kernel):
        total += value * np.exp(-2j * np.pi * (fy * row + fx * column) / scale)
    return float(abs(total) ** 2)
