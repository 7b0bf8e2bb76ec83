"""How close an estimated blur kernel is to the true one; float64, one value per kernel.

Kernels of different sizes are zero padded about their centres to the larger one, which keeps the anchor.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_STEPS = 16  # positions per pixel of the shift search


def kernel_psnr(estimate: Float[Tensor, "b 1 k k"], truth: Float[Tensor, "b 1 m m"]) -> Float[Tensor, " b"]:
    """Kernel PSNR of the FKP and DKP tables in dB: peak 1, MSE over all k^2 entries, nothing aligned.

    +inf if equal. Entries are about 0.01, so any guess scores about 40 dB: read against `zero_kernel_floor`.
    """
    x, y = _same_size(estimate, truth)
    return -10 * torch.log10((x - y).square().mean((1, 2, 3)))


def band_kernel_psnr(
    estimate: Float[Tensor, "b bands k k"], truth: Float[Tensor, "b bands m m"]
) -> Float[Tensor, " b"]:
    """Mean over the bands of `kernel_psnr`, for blurs that differ from band to band."""
    each = kernel_psnr(estimate.flatten(0, 1)[:, None], truth.flatten(0, 1)[:, None])
    return each.unflatten(0, truth.shape[:2]).mean(1)


def zero_kernel_floor(truth: Float[Tensor, "b 1 k k"]) -> Float[Tensor, " b"]:
    """Kernel PSNR in dB of an all-zero estimate: the figure that knowing nothing is worth."""
    return kernel_psnr(torch.zeros_like(truth), truth)


def aligned_kernel_psnr(
    estimate: Float[Tensor, "b 1 k k"], truth: Float[Tensor, "b 1 m m"]
) -> Float[Tensor, " b"]:
    """Kernel PSNR in dB after both kernels are scaled to sum 1 and the estimate is moved where it fits best.

    Shifting kernel and image against each other leaves the LR image as it is, so this measures shape alone.
    The shift is sought on a grid of 1/16 px within +-k/2 px on each axis, band-limited (Fourier) between
    pixels, on a canvas where nothing wraps round. The squared error on the canvas is divided by k^2 of the
    larger kernel, so the result equals `kernel_psnr` where both sums are 1 and no shift helps.

    Returns:
        One value per kernel: nan where a sum is not positive, +inf where both agree to float32 precision.
    """
    x, y = (_sum_to_one(kernel)[:, 0] for kernel in _same_size(estimate, truth))
    size = x.shape[-1]
    canvas = 2 * size + 1  # odd: no Nyquist frequency, whose fractional shift is ambiguous
    cross = torch.fft.fft2(x, s=(canvas, canvas)).conj() * torch.fft.fft2(y, s=(canvas, canvas))
    reach = _STEPS * (size // 2)
    shifts = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device) / _STEPS
    frequency = torch.fft.fftfreq(canvas, dtype=x.dtype, device=x.device)
    phase = torch.exp(2j * math.pi * shifts[:, None] * frequency)
    correlation = (phase @ cross @ phase.mT).real / canvas**2
    energy = (x.square() + y.square()).sum((1, 2))
    error = energy - 2 * correlation.amax((1, 2))
    # The difference of equal numbers is rounding, of either sign; a comparison with nan leaves nan as it is.
    error = error.masked_fill(error < 1e-13 * energy, 0)
    return -10 * torch.log10(error / size**2)


def centre_of_mass_offset(
    estimate: Float[Tensor, "b 1 k k"], truth: Float[Tensor, "b 1 m m"]
) -> Float[Tensor, "b 2"]:
    """(Row, column) by which the estimate's centre of mass lies below and right of the true one, in px.

    nan where a sum is not positive. s-1 px on both axes: the kernels follow different anchor conventions.
    """
    centres = []
    for kernel in _same_size(estimate, truth):
        mass = _sum_to_one(kernel)[:, 0]
        position = torch.arange(mass.shape[-1], dtype=mass.dtype, device=mass.device)
        centres.append(torch.stack((mass.sum(2) @ position, mass.sum(1) @ position), dim=1))
    return centres[0] - centres[1]


def width_error(
    estimate: Float[Tensor, "b 1 k k"], truth: Float[Tensor, "b 1 m m"], axis: int
) -> Float[Tensor, " b"]:
    """Percent by which the estimate's width along an axis (0: rows, 1: columns) is off, of either sign.

    A width is the standard deviation of the kernel's mass along the axis, which a faint background adds much to.

    Returns:
        One value per kernel: nan where a sum is not positive, or a variance.
    """
    found, wanted = (_width(kernel, axis) for kernel in (estimate, truth))
    return 100 * (found / wanted - 1).abs()


def _width(kernel: Tensor, axis: int) -> Tensor:
    mass = _sum_to_one(kernel.detach().double())[:, 0].sum(2 - axis)
    position = torch.arange(mass.shape[-1], dtype=mass.dtype, device=mass.device)
    return (mass @ position.square() - (mass @ position).square()).sqrt()


def _same_size(estimate: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    size = max(estimate.shape[-1], truth.shape[-1])
    return _padded(estimate, size), _padded(truth, size)


def _padded(kernel: Tensor, size: int) -> Tensor:
    before = (size - kernel.shape[-1]) // 2
    after = size - kernel.shape[-1] - before
    return F.pad(kernel.detach().double(), (before, after, before, after))


def _sum_to_one(kernel: Tensor) -> Tensor:
    total = kernel.sum((1, 2, 3), keepdim=True)
    return kernel / total.where(total > 0, math.nan)
