"""How radar images travel: float channels whose squared length is the intensity.

A single-look complex image (SLC) has two channels, its real and its imaginary part; a detected image has one, its
amplitude. So samples, crops, batches and records of other scenes carry them as they are, no complex tensor passes
between parts, and what needs the intensity asks for it here.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float
from torch import Tensor

from sr_lab.errors import UserError


def is_complex(image: Float[Tensor, "b c h w"]) -> bool:
    """Whether an image of this scene has a phase."""
    return image.shape[1] == 2


def as_complex(image: Float[Tensor, "b c h w"]) -> Complex[Tensor, "b h w"]:
    """Two channels as complex numbers.

    Raises:
        UserError: the image is detected: its phase is gone.
    """
    if not is_complex(image):
        raise UserError(
            f"this needs a complex image, one of {image.shape[1]} channels was given",
            where="sar",
            fix="use an SLC: two channels, the real and the imaginary part",
        )
    return torch.complex(image[:, 0], image[:, 1])


def as_channels(values: Complex[Tensor, "b h w"]) -> Float[Tensor, "b 2 h w"]:
    """Complex numbers as two channels."""
    return torch.stack([values.real, values.imag], 1)


def intensity(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
    """Power |z|^2 of a complex image, or A^2 of a detected one, whose overshoots below 0 count 0."""
    power = image.clamp_min(0) if image.shape[1] == 1 else image
    return power.square().sum(1, keepdim=True)


def amplitude(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
    """|z| of a complex image; a detected one as it is, without overshoots below 0."""
    return image.clamp_min(0) if image.shape[1] == 1 else image.norm(dim=1, keepdim=True)


def multilooked(image: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b 1 h w"]:
    """The amplitude of intensity averaged around every pixel; the image goes on beyond its edge by repetition.

    Args:
        image: complex or detected.
        side: odd, of the square averaged over.
    """
    padded = F.pad(intensity(image), (side // 2,) * 4, mode="replicate")
    return F.avg_pool2d(padded, side, stride=1).sqrt()
