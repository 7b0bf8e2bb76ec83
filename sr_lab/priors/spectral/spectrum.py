"""The power spectrum that a blurred, decimated natural image is expected to have.

S(f) = sum over the s x s aliases f_m of |H(f_m)|^2 P(f_m) + sigma^2, with log P(f) = T(f) beta: a mean level, a
slope and a curvature over log |f|, and two angular harmonics. How beta varies between photographs was measured on
BSD400 (`experiments/training/spectrum`) and is the prior that tells a wide blur from a smooth picture.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.priors.spectral.shape import covariance

# cycles per HR pixel at which the level is taken: the middle of the octaves that a photograph has
REFERENCE = 0.1
TERMS = 6


def template(fy: Float[Tensor, "*n"], fx: Float[Tensor, "*n"]) -> Float[Tensor, "*n t"]:
    """T(f) at HR frequencies in cycles per HR pixel."""
    squared = fy**2 + fx**2 + 1e-6
    octave = 0.5 * torch.log(squared) - math.log(REFERENCE)
    cos2, sin2 = (fx**2 - fy**2) / squared, 2 * fx * fy / squared
    return torch.stack([torch.ones_like(octave), octave, octave**2, cos2, sin2, cos2**2 - sin2**2], -1)


@dataclass(frozen=True)
class Aliases:
    """What of the model does not depend on its parameters: frequencies folded onto each LR frequency.

    Args:
        frequency: (..., 2) as (y, x), cycles per LR pixel.
        basis: T at these frequencies.
    """

    frequency: Float[Tensor, "n m 2"]
    basis: Float[Tensor, "n m t"]


def aliases(fy: Float[Tensor, " n"], fx: Float[Tensor, " n"], scale: int) -> Aliases:
    """The s x s HR frequencies in [-s/2, s/2) LR cycles that decimation by s folds onto each of n."""
    shift = torch.arange(scale, dtype=fy.dtype)
    ay = (fy[:, None, None] + shift[:, None] + scale / 2) % scale - scale / 2
    ax = (fx[:, None, None] + shift[None, :] + scale / 2) % scale - scale / 2
    ay, ax = (part.expand(-1, scale, scale).reshape(len(fy), -1) for part in (ay, ax))
    return Aliases(torch.stack([ay, ax], -1), template(ay / scale, ax / scale))


def log_spectrum(parameters: Float[Tensor, " p"], at: Aliases) -> Float[Tensor, " n"]:
    """Logarithm of S(f) of a Gaussian blur; parameters are the shape (3), beta (TERMS), log sigma^2."""
    picture = torch.logsumexp(_log_parts(parameters, at), -1)
    return torch.logaddexp(picture, parameters[3 + TERMS].expand_as(picture))


def slope(parameters: Float[Tensor, " p"], at: Aliases) -> Float[Tensor, "n p"]:
    """Derivatives of `log_spectrum` by every parameter: those of its summands, weighted by their shares of S."""
    parts, noise = _log_parts(parameters, at), parameters[3 + TERMS]
    log_s = torch.logaddexp(torch.logsumexp(parts, -1), noise.expand(len(parts)))
    share = torch.exp(parts - log_s[:, None])
    y, x = at.frequency.unbind(-1)
    moments = torch.stack([(share * part).sum(-1) for part in (x * x, 2 * x * y, y * y)], -1)
    by_shape = torch.autograd.functional.jacobian(covariance, parameters[:3])
    assert isinstance(by_shape, Tensor)
    by_shape = torch.stack([by_shape[0, 0], by_shape[0, 1], by_shape[1, 1]])
    by_beta = torch.einsum("nm,nmt->nt", share, at.basis)
    by_noise = torch.exp(noise - log_s)
    return torch.cat([-4 * math.pi**2 * moments @ by_shape, by_beta, by_noise[:, None]], 1)


def _log_parts(parameters: Float[Tensor, " p"], at: Aliases) -> Float[Tensor, "n m"]:
    """Logarithm of each alias's share of S."""
    matrix = covariance(parameters[:3])
    y, x = at.frequency.unbind(-1)
    form = matrix[0, 0] * x**2 + 2 * matrix[0, 1] * x * y + matrix[1, 1] * y**2
    return at.basis @ parameters[3 : 3 + TERMS] - 4 * math.pi**2 * form
