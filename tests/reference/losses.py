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


def standard_spectrum(cube: np.ndarray) -> np.ndarray:
    """By the discrete Fourier transform's definition."""
    bands, height, width = cube.shape
    rows = np.exp(-2j * np.pi * np.outer(np.arange(height), np.arange(height)) / height)
    columns = np.exp(-2j * np.pi * np.outer(np.arange(width), np.arange(width)) / width)
    spectrum = np.stack([np.log(1 + np.abs(rows @ cube[band] @ columns)) for band in range(bands)])
    return (spectrum - spectrum.mean()) / np.sqrt(spectrum.var() + 1e-6)


def log_spectrum(sr: np.ndarray, hr: np.ndarray) -> float:
    return float(((standard_spectrum(sr) - standard_spectrum(hr)) ** 2).mean())


def thermal_order(sr: np.ndarray, hr: np.ndarray) -> float:
    """All eight neighbours of every 8x8 patch, patch by patch."""
    bands, height, width = sr.shape
    rows, columns = -(-height // 8), -(-width // 8)

    def mean(cube: np.ndarray, band: int, y: int, x: int) -> float:
        return float(cube[band, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8].mean())

    costs = []
    for band in range(bands):
        for y in range(rows):
            for x in range(columns):
                for v in range(max(y - 1, 0), min(y + 2, rows)):
                    for u in range(max(x - 1, 0), min(x + 2, columns)):
                        if (v, u) != (y, x):
                            d_sr = mean(sr, band, v, u) - mean(sr, band, y, x)
                            d_hr = mean(hr, band, v, u) - mean(hr, band, y, x)
                            costs.append(max(0.0, -d_sr * d_hr) if abs(d_hr) >= 0.1 else 0.0)
    return float(np.mean(costs)) if costs else 0.0
