"""Maximum a posteriori fit of the spectrum's parameters to a periodogram, by Fisher scoring."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.priors.spectral.aliases import aliases
from sr_lab.priors.spectral.family import Family, Gaussian
from sr_lab.priors.spectral.periodogram import Periodogram
from sr_lab.priors.spectral.spectrum import log_spectrum, slope

SCREENED = 4  # more starts than this are first tried on few frequencies
_THINNING, _TRIES, _KEPT = 7, 6, 2  # 7 does not divide the side of a tile


@dataclass(frozen=True)
class Fit:
    """Where the posterior is greatest.

    Args:
        parameters: there.
        covariance: from the curvature there.
        objective: there.
        misfit: standard deviation of log P(f) - log S(f) over the frequencies.
    """

    parameters: Float[Tensor, " p"]
    covariance: Float[Tensor, "p p"]
    objective: float
    misfit: float


def fit(
    measured: Periodogram,
    scale: int,
    family: Family,
    prior: Gaussian,
    start: Float[Tensor, " p"],
    temper: float = 0.1,
    iterations: int = 30,
) -> Fit:
    """Minimise t w sum_f (log S(f) + P(f) / S(f)) + half the prior's squared distance (Whittle 1953).

    Args:
        measured: P, over `tiles` = w independent tiles.
        scale: s.
        family: that the blur is of.
        prior: on the shape, the picture's spectrum and the noise.
        start: first parameters.
        temper: t < 1 allows for neighbouring frequencies that share tapers and for pictures that no power law
            describes: the likelihood of a wrong model is too sure of itself.
        iterations: at most; Levenberg-Marquardt damping guards each step.
    """
    at = aliases(measured.fy, measured.fx, scale)
    weight, power = temper * measured.tiles, measured.power.clamp_min(1e-14)

    def objective(parameters: Tensor, log_s: Tensor) -> float:
        away = parameters - prior.mean
        misfit = (log_s + power * torch.exp(-log_s)).sum()
        return float(weight * misfit + 0.5 * away @ prior.precision @ away)

    parameters, damping = start.clone(), 1e-2
    log_s = log_spectrum(parameters, at, family)
    value = objective(parameters, log_s)
    fisher = prior.precision
    for _ in range(iterations):
        by_parameter = slope(parameters, at, family)
        excess = 1 - power * torch.exp(-log_s)
        gradient = weight * (by_parameter.mT @ excess) + prior.precision @ (parameters - prior.mean)
        fisher = weight * (by_parameter.mT @ by_parameter) + prior.precision
        gain = 0.0
        for _ in range(8):
            damped = fisher + damping * torch.diag(fisher.diagonal())
            step = torch.linalg.solve(damped, gradient).clamp(-1.5, 1.5)
            tried = parameters - step
            tried_s = log_spectrum(tried, at, family)
            tried_value = objective(tried, tried_s)
            if tried_value < value:
                gain = value - tried_value
                parameters, log_s, value, damping = tried, tried_s, tried_value, max(damping / 5, 1e-7)
                break
            damping *= 5
        if gain < 1e-4:
            break
    return Fit(parameters, torch.linalg.inv(fisher), value, float((power.log() - log_s).std()))


def search(
    measured: Periodogram, scale: int, family: Family, prior: Gaussian, starts: list[Tensor], temper: float
) -> Fit:
    """The best of the fits from several starts; a bank of starts is screened on few frequencies first."""
    if len(starts) > SCREENED:
        few = measured.thinned(_THINNING)
        tried = [fit(few, scale, family, prior, start, temper, _TRIES) for start in starts]
        starts = [found.parameters for found in sorted(tried, key=lambda found: found.objective)[:_KEPT]]
    enough = measured.thinned(family.thinning)
    fits = (fit(enough, scale, family, prior, start, temper) for start in starts)
    return min(fits, key=lambda found: found.objective)
