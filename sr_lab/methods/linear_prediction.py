"""Linear prediction: samples of a few exponentials, carried on beyond both their ends."""

import torch
from jaxtyping import Complex
from torch import Tensor

from sr_lab.errors import UserError

ORDER = 3  # samples for each coefficient: N/3 of them
RANK = 0.05  # of the greatest singular value; what is below is noise, and would be predicted too


def extended(
    samples: Complex[Tensor, " n"], ahead: int, order: int | None = None, rank: float = RANK
) -> Complex[Tensor, " m"]:
    """Samples with `ahead` more predicted before the first and after the last; those in the middle stay.

    The coefficients are those of the modified covariance method: the least forward and backward error together, of the
    smallest norm. Roots outside the unit circle are brought onto it, so that nothing grows without end.

    Args:
        samples: evenly spaced.
        ahead: number of predicted samples on each side.
        order: of the prediction; None: a third of the samples.
        rank: singular values below this share of the greatest count 0.

    Raises:
        UserError: fewer than 6 samples, or an order that they do not allow.

    Source: Marple 1987, Digital Spectral Analysis, ch. 8; the small norm: Kumaresan and Tufts 1982, Proc. IEEE 70(9).
    """
    order = max(2, len(samples) // ORDER) if order is None else order
    if len(samples) < 6 or not 0 < order <= 2 * len(samples) // 3:
        raise UserError(
            f"{len(samples)} samples allow no prediction of order {order}",
            where="linear prediction",
            fix="give at least 6 samples, and an order of at most two thirds of them",
        )
    wide = samples.to(torch.complex128)
    windows = wide.unfold(0, order + 1, 1)
    past = torch.cat([windows[:, :-1].flip(1), windows[:, 1:].conj()])
    present = torch.cat([windows[:, -1], windows[:, 0].conj()])
    solution = torch.linalg.lstsq(past, present[:, None], rcond=rank, driver="gelsd").solution[:, 0]
    forward = _stable(solution)
    after = _predicted(wide, forward, ahead)
    before = _predicted(wide.flip(0).conj(), forward, ahead).conj().flip(0)
    return torch.cat([before, wide, after]).to(samples.dtype)


def _predicted(samples: Tensor, coefficients: Tensor, ahead: int) -> Tensor:
    """The samples that come next."""
    known = samples[-len(coefficients) :].flip(0)
    found = []
    for _ in range(ahead):
        found.append((coefficients * known).sum())
        known = torch.cat([found[-1][None], known[:-1]])
    return torch.stack(found) if found else samples[:0]


def _stable(coefficients: Tensor) -> Tensor:
    """The same predictor with its roots inside the unit circle or on it."""
    companion = torch.diag(torch.ones(len(coefficients) - 1, dtype=coefficients.dtype), -1)
    companion[0] = coefficients
    roots = torch.linalg.eigvals(companion)
    roots = roots / roots.abs().clamp_min(1)
    polynomial = torch.ones(1, dtype=coefficients.dtype)
    for root in roots:
        shifted = torch.cat([polynomial, polynomial.new_zeros(1)])
        shifted[1:] -= root * polynomial
        polynomial = shifted
    return -polynomial[1:]
