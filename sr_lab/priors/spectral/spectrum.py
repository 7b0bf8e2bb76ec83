"""The power spectrum that a blurred, decimated natural image is expected to have.

S(f) = sum over the s x s aliases f_m of |H(f_m)|^2 P(f_m) + sigma^2, with log P(f) = T(f) beta (see `aliases`). How
beta varies between photographs was measured on BSD400 (`experiments/training/spectrum`) and is the prior that tells
a wide blur from a smooth picture. Parameters are the shape of the blur, beta (TERMS), log sigma^2, in this order.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.priors.spectral.aliases import TERMS, Aliases
from sr_lab.priors.spectral.family import Family


def log_spectrum(parameters: Float[Tensor, " p"], at: Aliases, family: Family) -> Float[Tensor, " n"]:
    """Logarithm of S(f)."""
    picture = torch.logsumexp(_log_parts(parameters, at, family), -1)
    return torch.logaddexp(picture, parameters[-1].expand_as(picture))


def slope(parameters: Float[Tensor, " p"], at: Aliases, family: Family) -> Float[Tensor, "n p"]:
    """Derivatives of `log_spectrum` by every parameter: those of its summands, weighted by their shares of S."""
    parts, noise = _log_parts(parameters, at, family), parameters[-1]
    log_s = torch.logaddexp(torch.logsumexp(parts, -1), noise.expand(len(parts)))
    share = torch.exp(parts - log_s[:, None])
    by_shape = family.slope(parameters[: -TERMS - 1], at, share)
    by_beta = torch.einsum("nm,nmt->nt", share, at.basis)
    by_noise = torch.exp(noise - log_s)
    return torch.cat([by_shape, by_beta, by_noise[:, None]], 1)


def _log_parts(parameters: Float[Tensor, " p"], at: Aliases, family: Family) -> Float[Tensor, "n m"]:
    """Logarithm of each alias's share of S."""
    return at.basis @ parameters[-TERMS - 1 : -1] + family.log_gain(parameters[: -TERMS - 1], at)
