"""What KernelGAN wants of a kernel besides fooling its discriminator, and when."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.anchor import anchor_centre
from sr_lab.priors.fixed import bicubic_kernel

PENALTY = 30.0
FREE = 9  # px: side of the middle that the boundary term leaves alone
POWER = 0.2


def bicubic_halving(side: int) -> Float[Tensor, "1 1 k k"]:
    """MATLAB's bicubic at half the size, at the block centre of a window."""
    kernel = bicubic_kernel(2, "block_center")
    return F.pad(kernel, [(side - kernel.shape[-1]) // 2] * 4)


def off_sum(kernel: Float[Tensor, "1 1 k k"]) -> Float[Tensor, ""]:
    """|1 - sum|."""
    return (1 - kernel.sum()).abs()


def off_centre(kernel: Float[Tensor, "1 1 k k"]) -> Float[Tensor, ""]:
    """Squared distance of the centre of mass from the block centre, where bicubic's lies too; mean of both axes."""
    side = kernel.shape[-1]
    centre = anchor_centre(side, 2, "block_center")
    at = torch.arange(side, dtype=kernel.dtype, device=kernel.device) - centre
    mass = kernel[0, 0] / kernel.sum()
    return ((mass.sum(1) @ at) ** 2 + (mass.sum(0) @ at) ** 2) / 2


def at_boundary(kernel: Float[Tensor, "1 1 k k"]) -> Float[Tensor, ""]:
    """Mean |k| under a mask: 30 (1 - a Gaussian as wide as the window), zero on the inner 9x9."""
    side = kernel.shape[-1]
    at = torch.arange(side, dtype=kernel.dtype, device=kernel.device) - side // 2
    mask = PENALTY * (1 - torch.exp(-(at[:, None] ** 2 + at**2) / (2 * side**2)))
    rim = (side - FREE) // 2
    mask[rim : side - rim, rim : side - rim] = 0
    return (kernel * mask).abs().mean()


def spread(kernel: Float[Tensor, "1 1 k k"]) -> Float[Tensor, ""]:
    """Mean |k|^0.2, which a few large values make small."""
    return kernel.abs().pow(POWER).mean()


@dataclass(frozen=True)
class Regularisers:
    """Weights: bicubic downscaling leads first and is let go by steps; centre and sparsity then take over.

    Args:
        bicubic: of the mean squared difference from bicubic downscaling, at first.
        sum_to_one: of `off_sum`.
        boundary: of `at_boundary`.
        centre: of `off_centre`, in the end; 0 before.
        sparsity: of `spread`, in the end; 0 before.
        near: the difference from bicubic below which steps begin, three times in a row.
        step_every: iterations between steps.
        step_divisor: by which a step divides `bicubic`.
        least: of `bicubic`, where the steps end.
        late: of `bicubic`, below which centre and sparsity are switched on.

    Source: Bell-Kligler et al., NeurIPS 2019, with the values of FKP's repository.
    """

    bicubic: float = 5.0
    sum_to_one: float = 0.5
    boundary: float = 0.5
    centre: float = 1.0
    sparsity: float = 5.0
    near: float = 0.4
    step_every: int = 200
    step_divisor: float = 100.0
    least: float = 5e-6
    late: float = 5e-3


class Schedule:
    """The weights in force while one image's kernel is learnt."""

    def __init__(self, weights: Regularisers) -> None:
        self.weights, self.bicubic = weights, weights.bicubic
        self._times_near = 0

    @property
    def constrained(self) -> bool:
        """Whether centre and sparsity count."""
        return self.bicubic < self.weights.late

    def penalty(self, kernel: Float[Tensor, "1 1 k k"], from_bicubic: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Weighted sum of all terms."""
        weights = self.weights
        total = self.bicubic * from_bicubic + weights.sum_to_one * off_sum(kernel)
        total = total + weights.boundary * at_boundary(kernel)
        if self.constrained:
            total = total + weights.centre * off_centre(kernel) + weights.sparsity * spread(kernel)
        return total

    def update(self, iteration: int, from_bicubic: Float[Tensor, ""]) -> None:
        """After an iteration, numbered from 1 on."""
        weights = self.weights
        if self._times_near < 3:
            self._times_near = self._times_near + 1 if from_bicubic < weights.near else 0
        elif iteration % weights.step_every == 0:
            self.bicubic = max(self.bicubic / weights.step_divisor, weights.least)
