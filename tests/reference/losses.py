"""Losses on one cube (bands, h, w), in float64 NumPy, pixel by pixel."""

import numpy as np


def l1(sr: np.ndarray, hr: np.ndarray) -> float:
    return float(np.abs(sr - hr).mean())


def spectral_angle(sr: np.ndarray, hr: np.ndarray) -> float:
    """Mean angle over pi."""
    angles = []
    for row in range(sr.shape[1]):
        for column in range(sr.shape[2]):
            a, b = sr[:, row, column], hr[:, row, column]
            cosine = a @ b / np.sqrt((a @ a) * (b @ b))
            angles.append(np.arccos(np.clip(cosine, -1, 1)))
    return float(np.mean(angles) / np.pi)


def gradient_length(cube: np.ndarray) -> np.ndarray:
    squares = np.zeros_like(cube)
    bands, height, width = cube.shape
    squares[: bands - 1] += (cube[1:] - cube[:-1]) ** 2
    squares[:, : height - 1] += (cube[:, 1:] - cube[:, :-1]) ** 2
    squares[:, :, : width - 1] += (cube[:, :, 1:] - cube[:, :, :-1]) ** 2
    return np.sqrt(squares)


def gradient_l1(sr: np.ndarray, hr: np.ndarray) -> float:
    return l1(gradient_length(sr), gradient_length(hr))


def variation(cube: np.ndarray, axis: int) -> float:
    """Mean square of neighbours' differences; 0 where there are none."""
    differences = np.diff(cube, axis=axis)
    return float((differences**2).mean()) if differences.size else 0.0


def spatial_variation(sr: np.ndarray, hr: np.ndarray) -> float:
    return variation(sr, 1) + variation(sr, 2)


def spectral_variation(sr: np.ndarray, hr: np.ndarray) -> float:
    return variation(sr, 0)
