"""Gaussian kernels along azimuth and range, as radar's point spread: wide in one axis, narrow in the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.gaussian import gaussian_kernels
from sr_lab.errors import UserError


@dataclass(frozen=True)
class AxisGaussians:
    """Sampler of Gaussians whose axes are those of the image, but for a small tilt (squint).

    Args:
        scale: decimation s.
        size: odd window side.
        sigma: range of the standard deviations, HR pixels; the one in range is drawn log-uniformly.
        ratio: greatest ratio of azimuth to range or of range to azimuth; its logarithm is drawn uniformly, and the
            azimuth is then held within `sigma`.
        tilt: greatest angle, degrees.
        anchor: see `anchor_centre`.
    """

    scale: int
    size: int = 25
    sigma: Sequence[float | int] = (0.3, 4.0)
    ratio: float | int = 6.0
    tilt: float | int = 10.0
    anchor: Anchor = "block_center"

    def __post_init__(self) -> None:
        if len(self.sigma) != 2 or not 0 < self.sigma[0] <= self.sigma[1] or self.ratio < 1:
            raise UserError(
                f"sigma {list(self.sigma)} with ratio {self.ratio} is no range",
                where="degradation.kernels",
                fix="give sigma as [low, high] above 0, and a ratio of 1 or more",
            )

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n kernels."""
        low, high = (math.log(value) for value in self.sigma)
        draw = torch.rand(n, 3, generator=generator, dtype=torch.float64)
        in_range = low + (high - low) * draw[:, 0]
        in_azimuth = (in_range + math.log(self.ratio) * (2 * draw[:, 1] - 1)).clamp(low, high)
        variance = torch.stack([(2 * in_range).exp(), (2 * in_azimuth).exp()], 1)
        theta = math.radians(self.tilt) * (2 * draw[:, 2] - 1)
        return gaussian_kernels(
            variance, theta, scale=self.scale, size=self.size, anchor=self.anchor, recentre=False
        )
