"""Autofocus: the azimuth phase of a target that moved moderately, found as what makes its image least spread."""

from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sr_lab.degradation.band import pad_band

REACH = (20, 12)  # radians at the ends of the band, quadratic and cubic, that are looked at


class AzimuthPhase(NamedTuple):
    """Phase over the azimuth band, quadratic P2(x) + cubic P3(x) with Legendre's polynomials and x in [-1, 1].

    A constant has no effect and a slope is a shift, which no image tells from a target elsewhere; both polynomials
    are free of them.

    Args:
        quadratic: radians at the ends of the band.
        cubic: radians at its upper end.
    """

    quadratic: float
    cubic: float


def entropy(image: Complex[Tensor, "*b h w"]) -> Tensor:
    """-sum p ln p with p = |y|^2 / sum |y|^2: small if few pixels hold the energy."""
    power = image.abs().square().flatten(-2)
    share = power / power.sum(-1, keepdim=True)
    return -torch.special.xlogy(share, share).sum(-1)


def found_phase(image: Complex[Tensor, "h w"], width: float | int) -> AzimuthPhase:
    """The phase whose removal leaves least entropy: best of a grid of whole radians, refined from there.

    Args:
        image: azimuth down the rows, its band about zero.
        width: of the azimuth band, cycles per pixel.
    """
    from scipy.optimize import minimize

    def cost(spectrum: Tensor, phase: AzimuthPhase, width: float) -> float:
        turned = spectrum * torch.exp(-1j * _radians(spectrum.shape[0], phase, width))[:, None]
        return float(entropy(torch.fft.ifft(turned, dim=0)))

    wide = image.to(torch.complex128)
    # refined on pixels half as long: the entropy of coarser ones hangs on where they lie
    fine = pad_band(wide, (2 * image.shape[0], image.shape[1]))
    coarse, fine = torch.fft.fft(wide, dim=0), torch.fft.fft(fine, dim=0)
    quadratics, cubics = (torch.arange(-reach, reach + 1.0).tolist() for reach in REACH)
    tried = [AzimuthPhase(quadratic, cubic) for quadratic in quadratics for cubic in cubics]
    start = min(tried, key=lambda phase: cost(coarse, phase, width))
    quadratic, cubic = start
    corners = [[quadratic, cubic], [quadratic + 0.5, cubic], [quadratic, cubic + 0.5]]
    best = minimize(
        lambda at: cost(fine, AzimuthPhase(*at), width / 2),
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-7, "initial_simplex": corners},
    )
    return AzimuthPhase(*map(float, best.x))


def without_phase(
    image: Complex[Tensor, "h w"], phase: AzimuthPhase, width: float | int
) -> Complex[Tensor, "h w"]:
    """The image with a phase taken off its azimuth band; minus the phase puts it on.

    Args:
        image: azimuth down the rows, its band about zero.
        phase: of the band.
        width: of the azimuth band, cycles per pixel; frequencies outside it keep the phase of its ends.
    """
    radians = _radians(image.shape[0], phase, width)
    turned = torch.fft.fft(image, dim=0) * torch.exp(-1j * radians).to(image)[:, None]
    return torch.fft.ifft(turned, dim=0)


def _radians(length: int, phase: AzimuthPhase, width: float | int) -> Float[Tensor, " n"]:
    x = (2 * torch.fft.fftfreq(length, dtype=torch.float64) / width).clamp(-1, 1)
    return phase.quadratic * (3 * x**2 - 1) / 2 + phase.cubic * (5 * x**3 - 3 * x) / 2
