"""Gaussian blurs along azimuth and range as a family: the logarithms of their variances in LR pixels squared."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.gaussian import gaussian_kernels
from sr_lab.priors.spectral.aliases import Aliases
from sr_lab.priors.spectral.family import Family, Gaussian

TYPICAL = 0.6  # standard deviation, LR pixels
SPREAD = 1.5  # of each logarithm
_NARROWEST, _WIDEST = 0.04, 60.0  # variances, HR pixel^2, outside which a rendered kernel no longer changes


class AxisGaussianBlurs(Family):
    """Two numbers, azimuth first; symmetric, so that the anchor is all there is to a phase."""

    def prior(self, scale: int) -> Gaussian:
        """About `TYPICAL`, and hardly anything is known."""
        return Gaussian(self.typical(scale), torch.eye(2, dtype=torch.float64) / SPREAD**2)

    def typical(self, scale: int) -> Float[Tensor, " 2"]:
        """A little more than half an LR pixel in both axes."""
        return torch.full((2,), 2 * math.log(TYPICAL), dtype=torch.float64)

    def starts(self, belief: Gaussian) -> list[Float[Tensor, " 2"]]:
        """Narrow and wide, the two valleys of a spectrum's likelihood."""
        return [belief.mean - 0.8, belief.mean + 0.5]

    def log_gain(self, shape: Float[Tensor, " 2"], at: Aliases) -> Float[Tensor, "n m"]:
        """-4 pi^2 (v_y f_y^2 + v_x f_x^2)."""
        return -4 * math.pi**2 * (at.frequency.square() @ shape.exp())

    def slope(
        self, shape: Float[Tensor, " 2"], at: Aliases, share: Float[Tensor, "n m"]
    ) -> Float[Tensor, "n 2"]:
        """In closed form."""
        moments = torch.einsum("nm,nmi->ni", share, at.frequency.square())
        return -4 * math.pi**2 * moments * shape.exp()

    def log_variance(self, shape: Float[Tensor, " 2"]) -> Float[Tensor, ""]:
        """Mean of both axes."""
        return shape.mean()

    def render(self, shape: Float[Tensor, "b 2"], scale: int, size: int) -> Float[Tensor, "b 1 k k"]:
        """Gaussians at their place."""
        variance = (shape.exp() * scale**2).clamp(_NARROWEST, _WIDEST).flip(1)
        return gaussian_kernels(variance, torch.zeros(len(shape)), scale=scale, size=size, recentre=False)
