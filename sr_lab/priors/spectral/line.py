"""Straight motion as a family: the logarithm of its length in HR pixels, and its angle."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.anchor import default_kernel_size
from sr_lab.degradation.motion import line_kernels
from sr_lab.priors.spectral.aliases import Aliases
from sr_lab.priors.spectral.family import Family, Gaussian

ANGLES = 12  # half the distance between neighbours is 7.5 degrees
SHORTEST = 1.0
_FLOOR = 1e-8  # |H|^2 below which noise is all there is


@dataclass(frozen=True)
class LineMotions(Family):
    """Lines as `degradation=line_motion` draws them; symmetric, so that the anchor is all there is to a phase.

    H is that of the line before pixels sample it, in closed form; the lattice of pixels adds a few hundredths to |H|^2.

    Args:
        length: middle of what is believed of the length, HR pixels; default 2 (k // 4) + 1 as in DIP-DKP.
        spread: standard deviation of the log-length.
    """

    length: float | None = None
    spread: float = 0.4

    def prior(self, scale: int) -> Gaussian:
        """About the usual length, at any angle."""
        length = self.length or 2 * (default_kernel_size(scale) // 4) + 1
        mean = torch.tensor([math.log(length), 0.0], dtype=torch.float64)
        return Gaussian(mean, torch.diag(torch.tensor([self.spread**-2, 1e-4], dtype=torch.float64)))

    def typical(self, scale: int) -> Float[Tensor, " 2"]:
        """No motion: a line along a wrong direction is worse than none."""
        return torch.tensor([math.log(SHORTEST), 0.0], dtype=torch.float64)

    def starts(self, belief: Gaussian) -> list[Float[Tensor, " 2"]]:
        """A bank: spectra of lines have side lobes, and the objective a valley for each."""
        return [
            belief.mean + torch.tensor([by * self.spread, math.pi * turn / ANGLES], dtype=torch.float64)
            for turn in range(ANGLES)
            for by in (-1.0, 0.0, 1.0)
        ]

    def log_gain(self, shape: Float[Tensor, " 2"], at: Aliases) -> Float[Tensor, "n m"]:
        """A box as long as the line, drawn with a bilinear brush: H = sinc(L u) sinc(u) sinc(v)^2 along and across."""
        length, along, across = _axes(shape, at)
        gain = torch.sinc(length * along) * torch.sinc(along) * torch.sinc(across) ** 2
        return torch.log(gain**2 + _FLOOR)

    def slope(
        self, shape: Float[Tensor, " 2"], at: Aliases, share: Float[Tensor, "n m"]
    ) -> Float[Tensor, "n 2"]:
        """By the product rule; turning the line exchanges u and v."""
        length, along, across = _axes(shape, at)
        box, brush, edge = torch.sinc(length * along), torch.sinc(along), torch.sinc(across)
        by_u = length * _dsinc(length * along) * brush + box * _dsinc(along)
        by_length = length * along * _dsinc(length * along) * brush * edge**2
        by_angle = across * by_u * edge**2 - along * box * brush * 2 * edge * _dsinc(across)
        gain = box * brush * edge**2
        weight = 2 * share * gain / (gain**2 + _FLOOR)
        return torch.stack([(weight * by_length).sum(-1), (weight * by_angle).sum(-1)], -1)

    def log_variance(self, shape: Float[Tensor, " 2"]) -> Float[Tensor, ""]:
        """Of the positions along the line."""
        return 2 * shape[0]

    def render(self, shape: Float[Tensor, "b 2"], scale: int, size: int) -> Float[Tensor, "b 1 k k"]:
        """Lines at least a pixel long, cut off where they leave the window."""
        length = shape[:, 0].exp().clamp_min(SHORTEST)
        return line_kernels(length, shape[:, 1], scale=scale, size=size).float()


def _axes(shape: Tensor, at: Aliases) -> tuple[Tensor, Tensor, Tensor]:
    """Length, and the frequencies along and across the line in cycles per HR pixel."""
    cos, sin = torch.cos(shape[1]), torch.sin(shape[1])
    y, x = (part / at.scale for part in at.frequency.unbind(-1))
    return torch.exp(shape[0]), cos * x + sin * y, cos * y - sin * x


def _dsinc(u: Tensor) -> Tensor:
    """Derivative of sinc(u) = sin(pi u) / (pi u)."""
    safe = u.where(u.abs() > 1e-4, 1.0)
    return torch.where(u.abs() > 1e-4, (torch.cos(math.pi * u) - torch.sinc(u)) / safe, -(math.pi**2) * u / 3)
