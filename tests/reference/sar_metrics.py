"""SAR metrics in plain NumPy, SciPy and scikit-image; x restored, z reference, both intensity (H, W)."""

from __future__ import annotations

import numpy as np
from scipy import stats
from skimage.feature import graycomatrix, graycoprops
from skimage.metrics import structural_similarity


def decibels(x: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, z = 10 * np.log10(x), 10 * np.log10(z)
    low, high = np.percentile(z, [1, 99.9])
    x, z = ((np.clip(image, low, high) - low) / (high - low) for image in (x, z))
    return x, z


def amplitudes(x: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    high = np.percentile(np.sqrt(z), 99.5)
    return np.clip(np.sqrt(x) / high, 0, 1), np.clip(np.sqrt(z) / high, 0, 1)


def psnr(x: np.ndarray, z: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((x - z) ** 2)))


def ssim(x: np.ndarray, z: np.ndarray) -> float:
    return float(np.mean(structural_similarity(x, z, data_range=1.0)))


def blocks(x: np.ndarray) -> list[np.ndarray]:
    return [
        x[i : i + 32, j : j + 32]
        for i in range(0, x.shape[0] - 31, 32)
        for j in range(0, x.shape[1] - 31, 32)
    ]


def enl(x: np.ndarray) -> float:
    return float(np.percentile([block.mean() ** 2 / block.var() for block in blocks(x)], 99))


def epi(x: np.ndarray, z: np.ndarray) -> float:
    def edges(image: np.ndarray) -> float:
        across = sum(abs(a - b) for row in image for a, b in zip(row[1:], row[:-1], strict=True))
        return across + sum(abs(a - b) for row in image.T for a, b in zip(row[1:], row[:-1], strict=True))

    return float(edges(x) / edges(z))


def epd_roa(x: np.ndarray, z: np.ndarray, axis: int) -> float:
    if axis in (0, -2):
        x, z = x.T, z.T
    return float(np.sum(x[:, :-1] / x[:, 1:]) / np.sum(z[:, :-1] / z[:, 1:]))


def ratio(x: np.ndarray, z: np.ndarray, looks: float) -> tuple[float, float, float, float]:
    r = z / x
    c = r - r.mean()
    lag = [np.sum(c[1:] * c[:-1]) / c[1:].size, np.sum(c[:, 1:] * c[:, :-1]) / c[:, 1:].size]
    ks = stats.kstest(r.ravel(), stats.gamma(looks, scale=1 / looks).cdf).statistic
    return float(r.mean()), float(r.var()), float(np.mean(lag) / r.var()), float(ks)


def bias_db(x: np.ndarray, z: np.ndarray) -> float:
    return float(10 * np.log10(x.mean() / z.mean()))


def block_bias_db(x: np.ndarray, z: np.ndarray) -> float:
    return float(np.median([bias_db(a, b) for a, b in zip(blocks(x), blocks(z), strict=True)]))


def moments(x: np.ndarray, z: np.ndarray) -> float:
    """The first part of the M-index."""
    of_z, of_r = blocks(z), blocks(z / x)
    spread = [np.log(block).var() for block in of_z]
    total = 0.0
    for before, after, one in zip(of_z, of_r, spread, strict=True):
        if one <= np.percentile(spread, 10):
            looks = [block.mean() ** 2 / block.var() for block in (before, after)]
            total += abs(looks[0] - looks[1]) / looks[0] + abs(1 - after.mean())
    return float(total / 2)


def homogeneity(r: np.ndarray) -> float:
    """Of the ratio's co-occurrence, 64 levels up to the 99th percentile, mean of both axes."""
    levels = np.clip(np.floor(r / np.percentile(r, 99) * 64), 0, 63).astype(np.uint8)
    matrix = graycomatrix(levels, [1], [0, np.pi / 2], levels=64, symmetric=True, normed=True)
    return float(graycoprops(matrix, "homogeneity").mean())


def band_errors(sr: np.ndarray, hr: np.ndarray, width: tuple[float, float]) -> tuple[float, float]:
    """In and out of the band |f| < width/2 of complex images, one gain fitted inside."""
    s, h = np.fft.fft2(sr), np.fft.fft2(hr)
    rows, columns = np.meshgrid(*(np.abs(np.fft.fftfreq(n)) for n in hr.shape), indexing="ij")
    inside = (rows < width[0] / 2) & (columns < width[1] / 2)
    gain = np.real(np.vdot(s[inside], h[inside])) / np.sum(np.abs(s[inside]) ** 2)

    def error(where: np.ndarray) -> float:
        return float(np.linalg.norm(gain * s[where] - h[where]) / np.linalg.norm(h[where]))

    return error(inside), error(~inside)
