"""USRNet as published, from the tensors of a checkpoint, one image at a time, in float64.

Data step: complex FFTs of the full grid, aliases folded by splitting them. Prior: plain convolutions.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


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


def residual_blocks(state: dict[str, Tensor], stage: str, x: Tensor) -> Tensor:
    """As many blocks (conv, ReLU, conv, plus the input) as the stage has."""
    for place in range(9):
        name = f"{stage}.{place}.res"
        if f"{name}.0.weight" in state:
            y = F.relu(F.conv2d(x, state[f"{name}.0.weight"], padding=1))
            x = x + F.conv2d(y, state[f"{name}.2.weight"], padding=1)
    return x


def denoise(state: dict[str, Tensor], image: Tensor, beta: float) -> Tensor:
    """The U-Net: a noise map as further channel, three halvings, long skips that are added."""
    height, width = image.shape[-2:]
    below, right = (8 - height % 8) % 8, (8 - width % 8) % 8
    padded = F.pad(image, (0, right, 0, below), mode="replicate")
    x = torch.cat([padded, torch.full_like(padded[:, :1], beta)], dim=1)
    features = [F.conv2d(x, state["p.m_head.weight"], padding=1)]
    for level in (1, 2, 3):
        x = residual_blocks(state, f"p.m_down{level}", features[-1])
        last = max(int(key.split(".")[2]) for key in state if key.startswith(f"p.m_down{level}."))
        features.append(F.conv2d(x, state[f"p.m_down{level}.{last}.weight"], stride=2))
    x = residual_blocks(state, "p.m_body", features[3])
    for level in (3, 2, 1):
        x = F.conv_transpose2d(x + features[level], state[f"p.m_up{level}.0.weight"], stride=2)
        x = residual_blocks(state, f"p.m_up{level}", x)
    return F.conv2d(x + features[0], state["p.m_tail.weight"], padding=1)[..., :height, :width]


def restore(
    state: dict[str, Tensor], lr: Tensor, convolution_kernel: np.ndarray, scale: int, sigma: float
) -> Tensor:
    """SR (1, c, sh, sw) of an LR image (1, c, h, w)."""
    state = {name: value.double() for name, value in state.items()}
    sizes = torch.tensor([sigma, scale], dtype=torch.float64)
    for layer in (0, 2, 4):
        sizes = state[f"h.mlp.{layer}.weight"][:, :, 0, 0] @ sizes + state[f"h.mlp.{layer}.bias"]
        sizes = F.relu(sizes) if layer < 4 else torch.log1p(torch.exp(sizes)) + 1e-6
    iterations = len(sizes) // 2
    x = lr.double().repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)
    for i in range(iterations):
        step = data_step(lr[0].double().numpy(), convolution_kernel, scale, x[0].numpy(), sizes[i].item())
        x = denoise(state, torch.from_numpy(step)[None], sizes[iterations + i].item())
    return x
