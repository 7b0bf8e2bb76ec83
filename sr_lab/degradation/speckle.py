"""Speckle of L looks, and complex noise at a given signal-to-noise ratio."""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sr_lab.degradation.corruptions import Corrupted
from sr_lab.errors import UserError


def speckle(
    like: Float[Tensor, "*shape"], looks: float | int, generator: torch.Generator
) -> Float[Tensor, "*shape"]:
    """Fully developed speckle: independent factors of intensity, Gamma(L, 1/L), mean 1 and variance 1/L.

    Args:
        like: gives shape, type and device.
        looks: L > 0, not necessarily whole; 1 is exponential.
        generator: on the CPU.
    """
    shape = torch.full(like.shape, float(looks), dtype=torch.float64)
    # torch.distributions.Gamma calls this too, and takes no generator
    drawn = torch._standard_gamma(shape, generator=generator)  # pyright: ignore[reportPrivateImportUsage]
    return (drawn / looks).to(like)


def circular_gaussian(
    like: Complex[Tensor, "*shape"], generator: torch.Generator
) -> Complex[Tensor, "*shape"]:
    """Independent draws of the circular Gaussian CN(0, 1): mean power 1, equal in both parts; a CPU generator."""
    parts = torch.randn(*like.shape, 2, generator=generator, dtype=like.real.dtype) / 2**0.5
    return torch.view_as_complex(parts).to(like.device)


def complex_noise(
    image: Complex[Tensor, "b h w"], snr_db: float | int, generator: torch.Generator
) -> tuple[Complex[Tensor, "b h w"], Float[Tensor, " b"]]:
    """Add circular Gaussian noise, white over the pixels, so far below each image's mean power.

    Args:
        image: SLCs.
        snr_db: mean power of the image over that of the noise, dB.
        generator: on the CPU.

    Returns:
        the noisy images, and the standard deviation of the noise in the real and in the imaginary part.
    """
    power = image.abs().square().mean((-2, -1)) * 10 ** (-snr_db / 10)
    noise = circular_gaussian(image, generator) * power.sqrt()[:, None, None]
    return image + noise, (power / 2).sqrt()


@dataclass(frozen=True)
class Speckle:
    """Speckle on detected images: the amplitude times the square root of `speckle`.

    Args:
        looks: L.
    """

    looks: float | int = 1

    def __post_init__(self) -> None:
        if self.looks <= 0:
            raise UserError(
                f"{self.looks} looks",
                where="degradation.corruptions",
                fix="give a positive number, such as 4",
            )

    def __call__(self, image: Float[Tensor, "b c h w"], generator: torch.Generator) -> Corrupted:
        """Multiply."""
        return image * speckle(image, self.looks, generator).sqrt(), None
