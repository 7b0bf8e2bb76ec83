"""Blurs of thermal cameras as a family: diffraction, defocus and jitter, on top of the detector's own."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.optical import optical_kernels
from sr_lab.priors.spectral.aliases import Aliases
from sr_lab.priors.spectral.family import Family, Gaussian

DISCS = (
    0.3,
    0.8,
    1.4,
    2.0,
    2.7,
    3.5,
    4.5,
    5.5,
)  # LR pixels: one start in each valley that rings of a disc make
CORE = 0.18  # variance of the core of an Airy pattern over (wavelength N)^2
_FLOOR = 1e-8  # |H|^2 below which noise is all there is


@dataclass(frozen=True)
class OpticalBlurs(Family):
    """Logarithms of wavelength x N, of the disc of defocus and of the jitter's spread, all in LR pixels.

    Args:
        diffraction: middle of what is believed of wavelength x N; 10 um, F/1.2 and 14 um pixels by default.
        defocus: middle of the disc's diameter; anything up to several pixels is likely.
        jitter: middle of the jitter's standard deviation.
    """

    diffraction: float = 0.85
    defocus: float = 1.2
    jitter: float = 0.15

    def prior(self, scale: int) -> Gaussian:
        """Optics are known well, defocus hardly."""
        means = torch.tensor([self.diffraction, self.defocus, self.jitter], dtype=torch.float64).log()
        return Gaussian(means, torch.diag(torch.tensor([0.25, 1.0, 0.5], dtype=torch.float64) ** -2))

    def typical(self, scale: int) -> Float[Tensor, " 3"]:
        """In focus."""
        values = [self.diffraction, DISCS[0], self.jitter]
        return torch.tensor(values, dtype=torch.float64).log()

    def starts(self, belief: Gaussian) -> list[Float[Tensor, " 3"]]:
        """A bank over the disc."""
        discs = torch.tensor(DISCS, dtype=torch.float64).log()
        return [torch.stack([belief.mean[0], disc, belief.mean[2]]) for disc in discs]

    def log_gain(self, shape: Float[Tensor, " 3"], at: Aliases) -> Float[Tensor, "n m"]:
        """Of the product of the transfer functions, in closed form."""
        return torch.log(_transfer(shape, at).prod(0) ** 2 + _FLOOR)

    def slope(
        self, shape: Float[Tensor, " 3"], at: Aliases, share: Float[Tensor, "n m"]
    ) -> Float[Tensor, "n 3"]:
        """By the product rule."""
        factors, slopes = _transfer(shape, at), _slopes(shape, at)
        lens, disc, jitter, detector = factors
        gain = factors.prod(0)
        weight = 2 * share * gain / (gain**2 + _FLOOR)
        by = (slopes[0] * disc * jitter, lens * slopes[1] * jitter, lens * disc * slopes[2])
        return torch.stack([(weight * part * detector).sum(-1) for part in by], -1)

    def log_variance(self, shape: Float[Tensor, " 3"]) -> Float[Tensor, ""]:
        """Of the core: an Airy pattern's own variance is infinite."""
        diffraction, disc, jitter = shape.exp()
        return torch.log(CORE * diffraction**2 + disc**2 / 16 + jitter**2 + 1 / 12)

    def render(self, shape: Float[Tensor, "b 3"], scale: int, size: int) -> Float[Tensor, "b 1 k k"]:
        """Of a lens of F/1 and pixels of unit pitch."""
        wavelength, disc, jitter = shape.exp().T
        one = torch.ones_like(disc)
        return optical_kernels(wavelength, one, disc, jitter, pitch=1.0, scale=scale, size=size, anchor="fkp")


def _parts(shape: Tensor, at: Aliases) -> tuple[Tensor, Tensor, Tensor]:
    """Q of diffraction, x of the disc, and (pi f jitter)^2."""
    radius = at.frequency.square().sum(-1).sqrt()
    diffraction, disc, jitter = shape.exp()
    return (radius * diffraction).clamp(max=1), math.pi * radius * disc, (math.pi * radius * jitter) ** 2


def _transfer(shape: Tensor, at: Aliases) -> Float[Tensor, "4 n m"]:
    """Of lens, disc, jitter and detector."""
    q, x, spread = _parts(shape, at)
    lens = (2 / math.pi) * (torch.acos(q) - q * torch.sqrt(1 - q**2))
    disc = torch.where(x > 1e-6, 2 * torch.special.bessel_j1(x) / x.clamp_min(1e-6), 1.0)
    return torch.stack([lens, disc, torch.exp(-2 * spread), torch.sinc(at.frequency).prod(-1)])


def _slopes(shape: Tensor, at: Aliases) -> Float[Tensor, "3 n m"]:
    """Derivatives of the first three by the logarithms."""
    q, x, spread = _parts(shape, at)
    second = 2 * torch.special.bessel_j1(x) / x.clamp_min(1e-6) - torch.special.bessel_j0(x)  # J2
    by_disc = torch.where(x > 1e-6, -2 * second, 0.0)
    return torch.stack(
        [-(4 / math.pi) * torch.sqrt(1 - q**2) * q, by_disc, -4 * spread * torch.exp(-2 * spread)]
    )
