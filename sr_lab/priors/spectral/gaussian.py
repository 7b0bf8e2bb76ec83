"""Gaussian blurs as a family: three numbers, the matrix logarithm of the covariance (see `shape`)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.gaussian import variance_range
from sr_lab.priors.spectral.aliases import Aliases
from sr_lab.priors.spectral.family import Family, Gaussian
from sr_lab.priors.spectral.shape import covariance, render

# of the mean log-variance and of the anisotropy under FKP's range of kernels
SPREAD = (0.6, 0.45, 0.45)
_WIDTH = torch.eye(3, dtype=torch.float64)[0]


def typical_shape(scale: int) -> Float[Tensor, " 3"]:
    """The middle of FKP's range of kernels."""
    low, high = variance_range(scale)
    return torch.tensor([math.log((low + high) / 2 / scale**2) - 0.15, 0.0, 0.0], dtype=torch.float64)


class GaussianBlurs(Family):
    """Any covariance; symmetric, so that the anchor is all there is to a phase."""

    def prior(self, scale: int) -> Gaussian:
        """About the middle of FKP's range."""
        return Gaussian(typical_shape(scale), torch.diag(torch.tensor(SPREAD, dtype=torch.float64) ** -2))

    def typical(self, scale: int) -> Float[Tensor, " 3"]:
        """The middle of FKP's range."""
        return typical_shape(scale)

    def starts(self, belief: Gaussian) -> list[Float[Tensor, " 3"]]:
        """Narrow and wide, the two valleys of a spectrum's likelihood, or what is nearly known already."""
        if belief.precision[0, 0] > 2 * SPREAD[0] ** -2:
            return [belief.mean]
        return [belief.mean + by * _WIDTH for by in (-0.8, 0.3)]

    def log_gain(self, shape: Float[Tensor, " 3"], at: Aliases) -> Float[Tensor, "n m"]:
        """-4 pi^2 f' C f."""
        matrix = covariance(shape)
        y, x = at.frequency.unbind(-1)
        form = matrix[0, 0] * x**2 + 2 * matrix[0, 1] * x * y + matrix[1, 1] * y**2
        return -4 * math.pi**2 * form

    def slope(
        self, shape: Float[Tensor, " 3"], at: Aliases, share: Float[Tensor, "n m"]
    ) -> Float[Tensor, "n 3"]:
        """By way of the covariance's entries."""
        y, x = at.frequency.unbind(-1)
        moments = torch.stack([(share * part).sum(-1) for part in (x * x, 2 * x * y, y * y)], -1)
        by_shape = torch.func.jacrev(covariance)(shape)
        by_shape = torch.stack([by_shape[0, 0], by_shape[0, 1], by_shape[1, 1]])
        return -4 * math.pi**2 * moments @ by_shape

    def log_variance(self, shape: Float[Tensor, " 3"]) -> Float[Tensor, ""]:
        """Mean log-variance along the two axes."""
        return shape[0]

    def render(self, shape: Float[Tensor, "b 3"], scale: int, size: int) -> Float[Tensor, "b 1 k k"]:
        """Kernels as the benchmark makes its own."""
        return render(shape, scale, size)
