"""Image and kernel metrics in plain NumPy and SciPy, for one image (H, W, C) or one kernel (k, k)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, signal


def as_8bit(image: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)


def luma(image: np.ndarray) -> np.ndarray:
    """BT.601 studio luma (H, W, 1) of an 8-bit RGB image, not rounded."""
    return (image.astype(float) @ [65.481, 128.553, 24.966] / 255 + 16)[..., None]


def cropped(image: np.ndarray, border: int) -> np.ndarray:
    height, width = image.shape[:2]
    return image[border : height - border, border : width - border]


def psnr(x: np.ndarray, y: np.ndarray, peak: float) -> float:
    return 20 * np.log10(peak / np.sqrt(np.mean((np.asarray(x, float) - np.asarray(y, float)) ** 2)))


def gaussian_window() -> np.ndarray:
    row, column = np.mgrid[-5:6, -5:6]
    window = np.exp(-(row**2 + column**2) / (2 * 1.5**2))
    return window / window.sum()


def _ssim_of_moments(moments: list[np.ndarray], peak: float) -> float:
    mean_x, mean_y, xx, yy, xy = moments
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * (xy - mean_x * mean_y) + c2)
    denominator = (mean_x**2 + mean_y**2 + c1) * (xx - mean_x**2 + yy - mean_y**2 + c2)
    return float(np.mean(numerator / denominator))


def ssim_valid(x: np.ndarray, y: np.ndarray, peak: float) -> float:
    """Mean over channels of SSIM where the whole window lies inside the image."""
    window, scores = gaussian_window(), []
    for channel in range(x.shape[2]):
        a, b = x[..., channel].astype(float), y[..., channel].astype(float)
        maps = [signal.convolve2d(m, window, mode="valid") for m in (a, b, a * a, b * b, a * b)]
        scores.append(_ssim_of_moments(maps, peak))
    return float(np.mean(scores))


def ssim_zero_padded(x: np.ndarray, y: np.ndarray) -> float:
    """Mean over channels of same-size SSIM with zeros outside the image, peak 1."""
    window, scores = gaussian_window(), []
    for channel in range(x.shape[2]):
        a, b = x[..., channel].astype(float), y[..., channel].astype(float)
        maps = [ndimage.correlate(m, window, mode="constant") for m in (a, b, a * a, b * b, a * b)]
        scores.append(_ssim_of_moments(maps, 1.0))
    return float(np.mean(scores))


def keys(distance: np.ndarray) -> np.ndarray:
    """Cubic convolution kernel of Keys (1981) with a = -1/2."""
    d = np.abs(distance)
    near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def aligned_psnr(
    x: np.ndarray, y: np.ndarray, border: int, search: int, peak: float
) -> tuple[float, tuple[float, float]]:
    """Best PSNR of (H, W) images and its shift: y at p against x at p + shift, in quarter pixels."""
    height, width = x.shape
    rows, columns = np.arange(border, height - border), np.arange(border, width - border)
    target, best = y[np.ix_(rows, columns)], (-np.inf, (0.0, 0.0))
    for down in np.arange(-search, search + 0.25, 0.25):
        for right in np.arange(-search, search + 0.25, 0.25):
            vertical = keys((rows + down)[:, None] - np.arange(height))
            horizontal = keys((columns + right)[:, None] - np.arange(width))
            score = psnr(vertical @ x @ horizontal.T, target, peak)
            best = max(best, (score, (float(down), float(right))))
    return best


def aligned_kernel_psnr(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Best kernel PSNR over Fourier shifts by 1/16 px, both kernels in the middle of a canvas."""
    size = max(len(estimate), len(truth))
    canvas = 2 * size + 1

    def placed(kernel: np.ndarray) -> np.ndarray:
        out = np.zeros((canvas, canvas))
        start = size // 2 + (size - len(kernel)) // 2
        out[start : start + len(kernel), start : start + len(kernel)] = kernel / kernel.sum()
        return out

    spectrum, target, least = np.fft.fft2(placed(estimate)), placed(truth), np.inf
    steps = np.arange(-16 * (size // 2), 16 * (size // 2) + 1) / 16
    for down in steps:
        for right in steps:
            moved = np.fft.ifft2(ndimage.fourier_shift(spectrum, (down, right))).real
            least = min(least, float(np.sum((moved - target) ** 2)))
    return -10 * np.log10(least / size**2)
