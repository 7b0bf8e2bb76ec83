"""USRNet's data step as published: complex FFTs of the full grid, aliases folded by splitting them."""

import numpy as np


def optical_transfer(kernel: np.ndarray, height: int, width: int) -> np.ndarray:
    """Spectrum of a convolution kernel (k, k) whose middle sits on pixel (0, 0) of an h x w torus."""
    side = len(kernel)
    grid = np.zeros((height, width))
    for row in range(side):
        for column in range(side):
            grid[(row - side // 2) % height, (column - side // 2) % width] = kernel[row, column]
    return np.fft.fft2(grid)


def fold(spectrum: np.ndarray, scale: int) -> np.ndarray:
    """Mean over the s x s blocks of a spectrum, which decimation makes one."""
    strips = np.split(spectrum, scale, axis=-2)
    blocks = [block for strip in strips for block in np.split(strip, scale, axis=-1)]
    return np.mean(blocks, axis=0)


def data_step(
    lr: np.ndarray, convolution_kernel: np.ndarray, scale: int, start: np.ndarray, alpha: float
) -> np.ndarray:
    """The next image (c, sh, sw) from the LR (c, h, w), the *convolution* kernel and the present image."""
    channels, height, width = lr.shape
    transfer = optical_transfer(convolution_kernel, height * scale, width * scale)
    stuffed = np.zeros((channels, height * scale, width * scale))
    stuffed[:, ::scale, ::scale] = lr
    right = transfer.conj() * np.fft.fft2(stuffed) + np.fft.fft2(alpha * start)
    quotient = fold(transfer * right, scale) / (fold(np.abs(transfer) ** 2, scale) + alpha)
    solution = (right - transfer.conj() * np.tile(quotient, (1, scale, scale))) / alpha
    return np.fft.ifft2(solution).real
