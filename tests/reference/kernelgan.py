"""KernelGAN's formulas in plain NumPy, pixel by pixel and layer by layer."""

import numpy as np


def full_convolution(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """True convolution of two images, every overlap."""
    out = np.zeros((a.shape[0] + b.shape[0] - 1, a.shape[1] + b.shape[1] - 1))
    for row in range(a.shape[0]):
        for column in range(a.shape[1]):
            out[row : row + b.shape[0], column : column + b.shape[1]] += a[row, column] * b
    return out


def implied_kernel(layers: list[np.ndarray]) -> np.ndarray:
    """The correlation kernel of correlating layers, (out, in, side, side) each, pushed through one by one."""
    channels = np.ones((1, 1, 1))
    for layer in layers:
        channels = np.array(
            [
                np.sum(
                    [full_convolution(weights, image) for image, weights in zip(channels, row, strict=True)],
                    0,
                )
                for row in layer
            ]
        )
    (kernel,) = channels
    return kernel


def analytic_x4(kernel: np.ndarray) -> np.ndarray:
    """Kernel of downscaling by two twice, cropped by k // 2 at every side, sum 1."""
    side = len(kernel)
    dilated = np.zeros((2 * side - 1, 2 * side - 1))
    dilated[::2, ::2] = kernel
    crop = side // 2
    whole = full_convolution(dilated, kernel)[crop:-crop, crop:-crop]
    return whole / whole.sum()


def correlate_every_second(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Where the kernel fits inside, from the first pixel on, every second row and column."""
    side = len(kernel)
    rows, columns = ((length - side) // 2 + 1 for length in image.shape)
    out = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            out[row, column] = (
                image[2 * row : 2 * row + side, 2 * column : 2 * column + side] * kernel
            ).sum()
    return out


def off_centre(kernel: np.ndarray, centre: float) -> float:
    """Squared distance of the centre of mass from (centre, centre), mean of both axes."""
    distance = np.zeros(2)
    for row in range(len(kernel)):
        for column in range(len(kernel)):
            distance += kernel[row, column] / kernel.sum() * np.array([row - centre, column - centre])
    return float((distance**2).mean())


def at_boundary(kernel: np.ndarray) -> float:
    """Mean |k|, weighted by 30 (1 - exp(-r^2 / 2 k^2)) outside the inner 9x9."""
    side, total = len(kernel), 0.0
    for row in range(side):
        for column in range(side):
            y, x = row - side // 2, column - side // 2
            if max(abs(y), abs(x)) > 4:
                total += abs(kernel[row, column]) * 30 * (1 - np.exp(-(y * y + x * x) / (2 * side**2)))
    return total / side**2


def thinned(kernel: np.ndarray) -> np.ndarray:
    """Values less 0.75 of the 41st largest, clipped at 0, sum 1."""
    cut = 0.75 * np.sort(kernel, axis=None)[::-1][40]
    positive = np.where(kernel > cut, kernel - cut, 0)
    return positive / positive.sum()


def strong_edges(grey: np.ndarray) -> np.ndarray:
    """Shares of the strongest 3 % of |g_y|, |g_x| and |g| at least 5 px off the edge, averaged over 5x5."""
    by_row, by_column = np.gradient(grey)
    total = np.zeros_like(grey)
    for gradient in (np.abs(by_row), np.abs(by_column), np.hypot(by_row, by_column)):
        inside = np.zeros_like(grey)
        inside[5:-5, 5:-5] = gradient[5:-5, 5:-5]
        strong = inside > np.sort(inside, axis=None)[int(0.97 * inside.size)]
        total += strong / max(strong.sum(), 1)
    padded = np.pad(total, 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    return windows.mean((-2, -1))


def crop_chances(edges: np.ndarray, side: int) -> np.ndarray:
    """Chance of each crop with an even corner: by the edges in a box of half the side in its middle."""
    rows, columns = ((length - side) // 2 + 1 for length in edges.shape)
    chance = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            top, left = 2 * row + side // 4, 2 * column + side // 4
            chance[row, column] = edges[top : top + side // 2, left : left + side // 2].sum()
    return chance / chance.sum()
