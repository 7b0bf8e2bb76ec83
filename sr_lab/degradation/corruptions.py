"""What happens to an LR image after decimation, as links of the chain that YAML composes."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.jpeg import jpeg
from sr_lab.degradation.noise import Rounding, add_gaussian, quantise
from sr_lab.errors import UserError

Corrupted = tuple[Float[Tensor, "b c h w"], Float[Tensor, " b"] | None]


@dataclass(frozen=True)
class GaussianNoise:
    """Additive N(0, sd), sd drawn once per image from U(low, high), in [0, 1] units (10/255 = 0.0392).

    Args:
        low, high: range of the standard deviation.
        none: share of images that get no noise at all.
    """

    low: float = 0.0
    high: float = 0.0
    none: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise UserError(
                f"noise range [{self.low}, {self.high}] is not 0 <= low <= high",
                where="degradation.corruptions",
                fix="standard deviations in [0, 1] units, such as 0.0392 for 10 grey levels",
            )

    def __call__(self, image: Float[Tensor, "b c h w"], generator: torch.Generator) -> Corrupted:
        """Add noise; the standard deviations come back with it."""
        draw = torch.rand(2, len(image), generator=generator)
        sd = torch.where(draw[1] < self.none, 0.0, self.low + (self.high - self.low) * draw[0])
        return add_gaussian(image, sd, generator), sd.to(image.device)


@dataclass(frozen=True)
class Jpeg:
    """JPEG compression, quality drawn once per image from U(low, high), 1 to 100."""

    low: float | int = 40.0
    high: float | int = 95.0

    def __call__(self, image: Float[Tensor, "b c h w"], generator: torch.Generator) -> Corrupted:
        """Compress, after clipping to [0, 1]."""
        quality = self.low + (self.high - self.low) * torch.rand(len(image), generator=generator)
        return jpeg(image.clamp(0, 1), quality.to(image.device)), None


@dataclass(frozen=True)
class Quantise:
    """Storage in 2^bits levels: `floor` as the published sets, `round` as a camera, `none` keeps floats."""

    how: Rounding = "floor"
    bits: int = 8

    def __call__(self, image: Float[Tensor, "b c h w"], generator: torch.Generator) -> Corrupted:
        """Clip and quantise."""
        return quantise(image, self.how, self.bits), None
