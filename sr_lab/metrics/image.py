"""PSNR and SSIM of images under a protocol, in float64, one value per image.

Both are written out: torchmetrics 1.9 takes the logarithm of PSNR in float32, averages SSIM over a reflected
margin that the published protocol leaves out, and in float64 on a CPU takes several times as long.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.losses.ssim import WINDOW, ssim_map
from sr_lab.metrics.protocol import Protocol

# HR is checked by hand, not by its annotation: a person's own pair of files may well disagree.
AnyImages = Float[Tensor, "_ _ _ _"]

_Y = (65.481, 128.553, 24.966)
_STEPS = 4  # positions per pixel of the shift search


class Aligned(NamedTuple):
    """Best PSNR over shifts, and the offset (row, column) of SR against HR, in px, where it was found."""

    psnr: Float[Tensor, " b"]
    shift: Float[Tensor, "b 2"]


def to_8bit(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The image as an 8-bit file gives it back: clipped to [0, 1] and rounded to multiples of 1/255."""
    return (255 * image.clamp(0, 1)).round() / 255


def compared(image: Float[Tensor, "b c h w"], protocol: Protocol) -> Float[Tensor, "b c2 h2 w2"]:
    """What a protocol compares of an image in [0, 1]: float64 on 0..data_range, without the border.

    Raises:
        UserError: colour `y` or `rgb` with other than 1 or 3 channels, or no pixel left inside the border.
    """
    channels, height, width = image.shape[1:]
    if protocol.colour != "none" and channels not in (1, 3):
        raise UserError(
            f"an image with {channels} channels has no {protocol.colour.upper()} values",
            where="metrics",
            fix="use a protocol with colour 'none', or metrics meant for this scene",
        )
    border = protocol.border
    if min(height, width) <= 2 * border:
        raise UserError(
            f"nothing of a {height}x{width} image is left inside a border of {border} px",
            where="metrics",
            fix="use larger images",
        )
    values = image.detach().double()
    if protocol.rounding == "8bit":
        values = to_8bit(values)
    if protocol.colour == "y":
        red, green, blue = values.expand(-1, 3, -1, -1).split(1, dim=1)
        values = _Y[0] * red + _Y[1] * green + _Y[2] * blue + 16
    else:
        values = values * protocol.data_range
    return values[..., border : height - border, border : width - border]


def psnr(sr: Float[Tensor, "b c h w"], hr: AnyImages, protocol: Protocol) -> Float[Tensor, " b"]:
    """Peak signal-to-noise ratio in dB over all compared pixels and channels; +inf for equal images.

    Infinity has no place in JSON: whoever stores it decides how.

    Args:
        sr: restored images in [0, 1].
        hr: ground truth in [0, 1], of the same shape.
        protocol: what is compared.

    Raises:
        UserError: SR and HR differ in shape, or as `compared` says.
    """
    x, y = _pair(sr, hr, protocol)
    return _decibel((x - y).square().mean((1, 2, 3)), protocol)


def ssim(sr: Float[Tensor, "b c h w"], hr: AnyImages, protocol: Protocol) -> Float[Tensor, " b"]:
    """Structural similarity (Wang et al. 2004): 11x11 Gaussian of sigma 1.5, whole windows only.

    Mean over channels and positions; 1 for equal images.

    Args:
        sr: restored images in [0, 1].
        hr: ground truth in [0, 1], of the same shape.
        protocol: what is compared; the constants are (0.01 L)^2 and (0.03 L)^2 for its data range L.

    Raises:
        UserError: SR and HR differ in shape, less than 11 px lie inside the border, or as `compared` says.
    """
    x, y = _pair(sr, hr, protocol)
    if min(x.shape[-2:]) < WINDOW:
        raise UserError(
            f"SSIM needs {WINDOW} px inside the border of {protocol.border} px, this image is "
            f"{sr.shape[-2]}x{sr.shape[-1]}",
            where="metrics",
            fix="use larger images, or PSNR alone",
        )
    return ssim_map(x, y, padding="valid", data_range=protocol.data_range).mean((1, 2, 3))


def aligned_psnr(sr: Float[Tensor, "b c h w"], hr: AnyImages, protocol: Protocol, search: int = 1) -> Aligned:
    """Best PSNR over all displacements of SR by multiples of 1/4 px up to `search` px on each axis.

    SR is read between pixels by cubic convolution (Keys 1981, a = -1/2), which smooths a little: a noisy SR
    may gain from a fractional shift where there is none. All shifts are compared on one region of HR, and SR
    is never read outside its frame. The FKP anchor displaces anything made for block centres by s-1 px:
    search that far.

    Args:
        sr: restored images in [0, 1].
        hr: ground truth in [0, 1], of the same shape.
        protocol: what is compared; the border is widened to `search` + 2 px where it is narrower.
        search: largest displacement in px, >= 0.

    Raises:
        UserError: SR and HR differ in shape, or the images are too small for the widened border.
    """
    wide = max(protocol.border, search + 2)
    x = compared(sr, replace(protocol, border=0))
    y = _pair(sr, hr, replace(protocol, border=wide))[1]
    height, width = y.shape[-2:]
    steps = range(-_STEPS * search, _STEPS * search + 1)
    errors: list[Tensor] = []
    for down in steps:
        whole, part = divmod(down, _STEPS)
        strip = _between(x, part, dim=-2).narrow(-2, wide - 1 + whole, height)
        strips = [_between(strip, part, dim=-1) for part in range(_STEPS)]
        for right in steps:
            whole, part = divmod(right, _STEPS)
            moved = strips[part].narrow(-1, wide - 1 + whole, width)
            errors.append((moved - y).square().mean((1, 2, 3)))
    least, index = torch.stack(errors).min(dim=0)
    shift = torch.stack((index // len(steps), index % len(steps)), dim=1) / _STEPS - search
    return Aligned(_decibel(least, protocol), shift.double())


def _pair(sr: Tensor, hr: Tensor, protocol: Protocol) -> tuple[Tensor, Tensor]:
    if sr.shape != hr.shape:
        raise UserError(
            f"SR is {tuple(sr.shape)} and HR is {tuple(hr.shape)} (batch, channels, height, width)",
            where="metrics",
            fix="compare images of one size: crop HR at the bottom and right to a multiple of the scale",
        )
    return compared(sr, protocol), compared(hr, protocol)


def _decibel(mse: Tensor, protocol: Protocol) -> Tensor:
    return 20 * math.log10(protocol.data_range) - 10 * torch.log10(mse)


def _between(x: Tensor, part: int, dim: int) -> Tensor:
    """Values `part` quarters behind each pixel from the second one on; three pixels shorter along `dim`."""
    t = part / _STEPS
    taps = (
        (-t + 2 * t**2 - t**3) / 2,
        (2 - 5 * t**2 + 3 * t**3) / 2,
        (t + 4 * t**2 - 3 * t**3) / 2,
        (-(t**2) + t**3) / 2,
    )
    length = x.shape[dim] - 3
    first, second, third, fourth = (tap * x.narrow(dim, i, length) for i, tap in enumerate(taps))
    return first + second + third + fourth
