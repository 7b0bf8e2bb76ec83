"""Residual-shifting diffusion: from an HR latent z0 to the latent zy of the enlarged LR image, and back.

    q(z_t | z0, zy) = N(z0 + eta_t (zy - z0), kappa^2 eta_t I)

Sources: ResShift (Yue et al., NeurIPS 2023), its deterministic step SinSR (Wang et al., CVPR 2024); both serve
DifIISR (CVPR 2025).
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from sr_lab.errors import UserError

Latent = Float[Tensor, "b c h w"]


@dataclass(frozen=True)
class ResidualShift:
    """How far each step shifts, and every formula that follows from it. Steps count from 0 (clean) upwards.

    Args:
        roots: square roots of eta_t, increasing, within (0, 1].
        kappa: noise of the last step, relative to the latent's unit.
        index: what the network is told for each step; differs from the step after `respaced`.
    """

    roots: tuple[float, ...]
    kappa: float
    index: tuple[int, ...]

    @property
    def steps(self) -> int:
        """T."""
        return len(self.roots)

    def eta(self, step: Int64[Tensor, " b"]) -> Float[Tensor, "b 1 1 1"]:
        """eta_t in float64; 0 for step -1, the clean latent."""
        etas = torch.tensor([0.0, *(root**2 for root in self.roots)], dtype=torch.float64)
        return etas.to(step.device)[step + 1].view(-1, 1, 1, 1)

    def network_index(self, step: Int64[Tensor, " b"]) -> Int64[Tensor, " b"]:
        """The network's own numbers of the steps."""
        return torch.tensor(self.index, device=step.device)[step]

    def respaced(self, steps: int) -> "ResidualShift":
        """Keep every T/S-th step, counted from the last: one step is one-step inference.

        The network is told the original numbers. ResShift counts from the first step and so starts below z_T.

        Raises:
            UserError: no step, or more than there are.
        """
        if not 1 <= steps <= self.steps:
            raise UserError(
                f"{steps} steps of {self.steps} cannot be kept",
                where="method.steps",
                fix=f"allowed: 1 to {self.steps}",
            )
        kept = sorted(self.steps - 1 - self.steps * k // steps for k in range(steps))
        return replace(
            self, roots=tuple(self.roots[k] for k in kept), index=tuple(self.index[k] for k in kept)
        )

    def input_scale(self, step: Int64[Tensor, " b"]) -> Float[Tensor, "b 1 1 1"]:
        """Factor that brings z_t near unit variance before the network."""
        return (self.kappa**2 * self.eta(step) + 1).rsqrt()

    def factor(self, step: Int64[Tensor, " b"]) -> Float[Tensor, "b 1 1 1"]:
        """kappa^2 eta / (1 - eta): what a change of the noise estimate moves the clean latent by."""
        eta = self.eta(step)
        return self.kappa**2 * eta / (1 - eta)

    def noised(self, z0: Latent, zy: Latent, step: Int64[Tensor, " b"], noise: Latent) -> Latent:
        """A draw of q(z_t | z0, zy), given standard normal noise."""
        eta = self.eta(step)
        return (z0 + eta * (zy - z0) + self.kappa * eta.sqrt() * noise).to(z0)

    def start(self, zy: Latent, noise: Latent) -> Latent:
        """z_T where z0 is unknown: around zy."""
        return zy + self.kappa * self.roots[-1] * noise

    def posterior(
        self, z0: Latent, z: Latent, step: Int64[Tensor, " b"]
    ) -> tuple[Latent, Float[Tensor, "b 1 1 1"]]:
        """Mean and variance of q(z_{t-1} | z_t, z0, zy); zy enters through z_t alone. At step 0: z0 itself."""
        now, before = self.eta(step), self.eta(step - 1)
        mean = before / now * z + (now - before) / now * z0
        return mean.to(z), self.kappa**2 * before / now * (now - before)

    def stochastic_step(self, z0: Latent, z: Latent, step: Int64[Tensor, " b"], noise: Latent) -> Latent:
        """A draw of the posterior; no noise is added on the way to the clean latent."""
        mean, variance = self.posterior(z0, z, step)
        return (mean + variance.sqrt() * noise).to(z)

    def weights(self, step: Int64[Tensor, " b"]) -> tuple[Tensor, Tensor, Tensor]:
        """Factors of z0, z_t and zy in the deterministic step; they sum to 1."""
        now, before = self.eta(step), self.eta(step - 1)
        of_z = (before / now).sqrt()
        of_zy = before - (before * now).sqrt()
        return 1 - of_z - of_zy, of_z, of_zy

    def deterministic_step(self, z0: Latent, z: Latent, zy: Latent, step: Int64[Tensor, " b"]) -> Latent:
        """z_{t-1} with the noise that z_t holds, given z0."""
        of_z0, of_z, of_zy = self.weights(step)
        return (of_z0 * z0 + of_z * z + of_zy * zy).to(z)


def exponential(
    steps: int = 15, kappa: float = 2.0, power: float = 0.3, last: float = 0.99, least_noise: float = 0.04
) -> ResidualShift:
    """The schedule of ResShift: sqrt(eta) grows exponentially, at a pace bent by a power.

    Args:
        steps: T, at least 2.
        kappa: see `ResidualShift`.
        power: p; below 1 the first steps are the large ones.
        last: sqrt(eta) of the last step.
        least_noise: of the first step, kappa sqrt(eta) at most.

    Raises:
        UserError: fewer than two steps.
    """
    if steps < 2:
        raise UserError(f"{steps} steps make no schedule", where="backbone.steps", fix="use 2 or more")
    first = min(least_noise / kappa, least_noise, math.sqrt(1e-3))
    growth = math.log(last / first)
    roots = tuple(first * math.exp(growth * (i / (steps - 1)) ** power) for i in range(steps))
    return ResidualShift(roots, kappa, tuple(range(steps)))
