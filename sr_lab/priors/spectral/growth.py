"""Gaussian blurs of one scene at several wavelengths, tied by diffraction: four numbers for all of them."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from sr_lab.priors.spectral.prior import Estimate

PARTS = tuple(0.02 * step for step in range(50))  # of the covariance that grows, which are tried


def tied(
    estimates: Sequence[Estimate], wavelengths: Float64[Tensor, " g"]
) -> tuple[list[Estimate], float | None]:
    """Estimates at several wavelengths, moved onto one law: covariance S ((1 - q) + q (wavelength / longest)^2).

    A factor of the covariance adds its logarithm to the first number of a shape and leaves the other two, so for a
    given q the likeliest S is a mean of the estimates, each moved by its factor and weighted by its precision; of all q
    the one with the least misfit is taken. The errors of one scene's estimates go together, so those of the tied ones
    are no smaller than the mean of theirs.

    Args:
        estimates: of `Spectral` with Gaussian blurs, one a wavelength.
        wavelengths: positive, in any unit.

    Returns:
        the estimates on the law, and q; as they are and None where fewer than two tell anything.
    """
    informed = [index for index, one in enumerate(estimates) if one.informed]
    if len(informed) < 2:
        return list(estimates), None
    ratio = (wavelengths / wavelengths.max()).square()
    shapes = torch.stack([estimates[index].shape for index in informed])
    precisions = torch.stack([torch.linalg.inv(estimates[index].covariance) for index in informed])
    fits = [_longest(shapes, precisions, _widening(part, ratio)[informed]) for part in PARTS]
    best = min(range(len(PARTS)), key=lambda index: fits[index][1])
    longest, moves = fits[best][0], _widening(PARTS[best], ratio)
    covariance = torch.stack([estimates[index].covariance for index in informed]).mean(0)
    spread = float(torch.tensor([estimates[index].log_variance_sd for index in informed]).mean())
    return [
        replace(one, shape=longest + move, covariance=covariance, log_variance_sd=spread, doubt=None)
        for one, move in zip(estimates, moves, strict=True)
    ], PARTS[best]


def _widening(part: float, ratio: Float64[Tensor, " g"]) -> Float64[Tensor, "g 3"]:
    """What the law adds to the shape of the longest wavelength at each."""
    moves = torch.zeros(len(ratio), 3, dtype=torch.float64)
    moves[:, 0] = torch.log(1 - part + part * ratio)
    return moves


def _longest(
    shapes: Float64[Tensor, "g 3"], precisions: Float64[Tensor, "g 3 3"], moves: Float64[Tensor, "g 3"]
) -> tuple[Float64[Tensor, " 3"], float]:
    """The likeliest shape at the longest wavelength, and the misfit."""
    moved = shapes - moves
    weighted = (precisions @ moved[:, :, None]).sum(0)[:, 0]
    longest = torch.linalg.solve(precisions.sum(0), weighted)
    away = moved - longest
    return longest, float(torch.einsum("gi,gij,gj->", away, precisions, away))
