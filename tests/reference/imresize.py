"""Bicubic resizing one output pixel at a time: the 2-D kernel sum over a mirrored image."""

import math

import numpy as np


def keys(t: float) -> float:
    """Cubic convolution interpolant, a = -0.5, in the textbook form with a written out."""
    a, t = -0.5, abs(t)
    if t < 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    if t < 2:
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    return 0.0


def mirror(index: int, length: int) -> int:
    """Bounce an index off the two ends until it is inside: -1 -> 0, length -> length - 1."""
    while not 0 <= index < length:
        index = -1 - index if index < 0 else 2 * length - 1 - index
    return index


def imresize(
    image: np.ndarray, out_shape: tuple[int, int], factors: tuple[float, float], antialias: bool
) -> np.ndarray:
    """Resize an (h, w) array; `factors` are the axes' scale factors."""
    out = np.empty(out_shape)
    for i in range(out_shape[0]):
        for j in range(out_shape[1]):
            # 1-based MATLAB position of the output pixel on the input, u = x/f + (1 - 1/f)/2
            position = [(p + 1) / f + 0.5 * (1 - 1 / f) for p, f in zip((i, j), factors, strict=True)]
            widen = [max(1.0, 1 / f) if antialias else 1.0 for f in factors]
            reach = [math.ceil(2 * v) + 1 for v in widen]
            total = mass = 0.0
            for r in range(math.floor(position[0]) - reach[0], math.floor(position[0]) + reach[0] + 2):
                for c in range(math.floor(position[1]) - reach[1], math.floor(position[1]) + reach[1] + 2):
                    weight = keys((position[0] - r) / widen[0]) * keys((position[1] - c) / widen[1])
                    total += weight * image[mirror(r - 1, image.shape[0]), mirror(c - 1, image.shape[1])]
                    mass += weight
            out[i, j] = total / mass
    return out
