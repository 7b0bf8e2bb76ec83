"""What an infrared image must keep beside its pixels: the shape of its spectrum, and which part is warmer."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

FLAT = 1e-6  # added to the variance of a log spectrum, so that an empty image has one
PATCH = 8
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # the other four are these, seen from the other side


def log_spectrum(sr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """Mean squared difference of log(1 + |FFT|), each brought to mean 0 and variance 1 over its image.

    Blind to a circular shift. Images in [0, 1]: log(1 + x) depends on the range.

    Source: the visual term of DifIISR (CVPR 2025, eq. 10 and 11), with statistics of each image alone.
    """
    return (_standard_spectrum(sr) - _standard_spectrum(hr)).square().mean((1, 2, 3))


def _standard_spectrum(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    dtype = torch.promote_types(image.dtype, torch.float32)
    spectrum = torch.fft.fft2(image.to(dtype)).abs().log1p()
    centred = spectrum - spectrum.mean((1, 2, 3), keepdim=True)
    return centred * (centred.square().mean((1, 2, 3), keepdim=True) + FLAT).rsqrt()


def thermal_order(
    sr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c h w"], threshold: float = 0.1
) -> Float[Tensor, " b"]:
    """Mean over neighbouring 8x8 patches of max(0, -d_sr d_hr), d the difference of their means.

    Args:
        sr: in [0, 1].
        hr: decides which patch is warmer; pairs that differ by less than the threshold count 0.
        threshold: in the images' unit.

    Source: thermal order consistency of Real-IISR (CVPR 2026).
    """
    cost, pairs = sr.new_zeros(len(sr)), 0
    coarse_sr, coarse_hr = (F.avg_pool2d(image, PATCH, ceil_mode=True) for image in (sr, hr))
    for down, right in NEIGHBOURS:
        of_sr, of_hr = (_differences(image, down, right) for image in (coarse_sr, coarse_hr))
        wrong = (-of_sr * of_hr).relu() * (of_hr.abs() >= threshold)
        cost = cost + wrong.flatten(1).sum(1)
        pairs += wrong[0].numel()
    return cost / max(pairs, 1)


def _differences(image: Tensor, down: int, right: int) -> Tensor:
    height, width = image.shape[-2:]
    first = image[..., : height - down, max(-right, 0) : width - max(right, 0)]
    second = image[..., down:, max(right, 0) : width + min(right, 0)]
    return second - first
