"""Gaussian kernels along azimuth and range, as radar's point spread: wide in one axis, narrow in the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.gaussian import gaussian_kernels
from sr_lab.errors import UserError

_HEADROOM = 1.01  # over the greatest kernel value: room for the dequantisation


@dataclass(frozen=True)
class AxisGaussians:
    """Sampler of Gaussians whose axes are those of the image, but for a small tilt (squint).

    Args:
        scale: decimation s.
        size: odd window side.
        sigma: range of the standard deviations, HR pixels; the one in range is drawn log-uniformly.
        azimuth: range of the one in azimuth, drawn alike; None: by `ratio`.
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
    azimuth: Sequence[float | int] | None = None

    def __post_init__(self) -> None:
        for ends in (self.sigma, self.azimuth or self.sigma):
            if len(ends) != 2 or not 0 < ends[0] <= ends[1] or self.ratio < 1:
                raise UserError(
                    f"sigma {list(ends)} with ratio {self.ratio} is no range",
                    where="degradation.kernels",
                    fix="give sigma as [low, high] above 0, and a ratio of 1 or more",
                )

    @property
    def kernel_size(self) -> int:
        """Side of the window."""
        return self.size

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n kernels."""
        draw = torch.rand(n, 3, generator=generator, dtype=torch.float64)
        low, high = (math.log(value) for value in self.sigma)
        in_range = low + (high - low) * draw[:, 0]
        if self.azimuth is None:
            in_azimuth = (in_range + math.log(self.ratio) * (2 * draw[:, 1] - 1)).clamp(low, high)
        else:
            low, high = (math.log(value) for value in self.azimuth)
            in_azimuth = low + (high - low) * draw[:, 1]
        theta = math.radians(self.tilt) * (2 * draw[:, 2] - 1)
        return self._kernels(torch.stack([in_range, in_azimuth], 1), theta)

    def validation_set(self) -> Float[Tensor, "n 1 k k"]:
        """1024 kernels, the same at every call."""
        return self.sample(1024, torch.Generator().manual_seed(0))

    def normalization(self) -> float:
        """A little above the peak of the sharpest kernel."""
        sharpest = torch.tensor([[self.sigma[0], (self.azimuth or self.sigma)[0]]], dtype=torch.float64)
        return round(_HEADROOM * self._kernels(sharpest.log(), sharpest.new_zeros(1)).max().item(), 5)

    def facts(self) -> dict[str, Any]:
        """What a checkpoint of a flow that learned these remembers."""
        return {"scale": self.scale}

    def _kernels(
        self, log_sigma: Float[Tensor, "n 2"], theta: Float[Tensor, " n"]
    ) -> Float[Tensor, "n 1 k k"]:
        """Those of given widths, range first."""
        return gaussian_kernels(
            (2 * log_sigma).exp(),
            theta,
            scale=self.scale,
            size=self.size,
            anchor=self.anchor,
            recentre=False,
        )
