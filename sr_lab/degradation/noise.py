"""Additive Gaussian noise with one level per image, and storage as whole grey levels."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError

Rounding = Literal["floor", "round", "none"]


def add_gaussian(
    image: Float[Tensor, "b c h w"], sd: Float[Tensor, " b"], generator: torch.Generator
) -> Float[Tensor, "b c h w"]:
    """Add white Gaussian noise N(0, sd^2), one sd per image; not clipped.

    Args:
        image: any range.
        sd: standard deviations in the image's units.
        generator: the noise is drawn on its device; a CPU generator gives the same noise on every device.
    """
    noise = torch.randn(image.shape, generator=generator, device=generator.device, dtype=image.dtype)
    return image + sd.to(image)[:, None, None, None] * noise.to(image.device)


def quantise(image: Float[Tensor, "*shape"], how: Rounding, bits: int = 8) -> Float[Tensor, "*shape"]:
    """Store an image as whole levels 0 .. 2^bits - 1 and read it back to [0, 1].

    Args:
        image: nominal range [0, 1].
        how: `floor` drops the fraction (the LR files of FKP and DKP), `round` takes the nearest level; both
            clip to [0, 1] first. `none` returns the image as it is, unclipped.
        bits: 1 to 16; float32 holds no finer level safely.

    Returns:
        image in [0, 1]; values that already lie on a level come back unchanged. No gradient passes `floor` or
        `round`.

    Raises:
        UserError: `bits` is out of range, or `how` is unknown.
    """
    if how == "none":
        return image
    if how not in ("floor", "round") or not 1 <= bits <= 16:
        raise UserError(
            f"cannot quantise with how={how!r}, bits={bits}",
            where="quantise",
            fix="Use how='floor', 'round' or 'none', and 1 to 16 bits",
        )
    # a tensor, because CUDA divides by a Python number through its reciprocal, which misses levels of 16 bits
    levels = image.new_tensor(2**bits - 1)
    scaled = image.clamp(0, 1) * levels
    return (scaled.floor() if how == "floor" else scaled.round()) / levels
