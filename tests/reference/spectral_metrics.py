"""Hyperspectral metrics in plain NumPy and scikit-image, for one image (bands, H, W) in [0, 1]."""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity


def psnr_band(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean([10 * np.log10(1 / np.mean((a - b) ** 2)) for a, b in zip(x, y, strict=True)]))


def psnr_cube(x: np.ndarray, y: np.ndarray) -> float:
    return float(10 * np.log10(1 / np.mean((x - y) ** 2)))


def ssim_band(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean([structural_similarity(a, b, data_range=1.0) for a, b in zip(x, y, strict=True)]))


def sam(x: np.ndarray, y: np.ndarray) -> float:
    """Degrees, over the pixels where neither vector is zero."""
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    lengths = np.linalg.norm(x, axis=0) * np.linalg.norm(y, axis=0)
    cosine = np.sum(x * y, axis=0)[lengths > 0] / lengths[lengths > 0]
    return float(np.degrees(np.mean(np.arccos(np.clip(cosine, -1, 1)))))


def ergas(x: np.ndarray, y: np.ndarray, ratio: float) -> float:
    terms = [np.mean((a - b) ** 2) / np.mean(b) ** 2 for a, b in zip(x, y, strict=True)]
    return float(100 / ratio * np.sqrt(np.mean(terms)))


def cc(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(x, y, strict=True)]))


def rmse(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.sqrt(np.mean((x - y) ** 2)))
