"""Shapes that vary over an image: noisy estimates at places, smoothed by Gaussian processes about one shape.

A field may grow with the square of the distance from the middle (a lens), along one direction (a tilt) or freely, by
much or by little. Each of these is weighed by its evidence, with "not at all" among them: a field is believed only
where the estimates differ by more than they err.
"""

import math
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

AMPLITUDES = (0.15, 0.3, 0.6)  # standard deviation of the mean log-variance over an image
ANISOTROPY = 0.5  # of the other two numbers, as a share of that
CONSTANT = 0.5  # prior probability that the blur is one
CONTENT = 0.1  # standard deviation by which what the most detailed window shows misleads its estimate
FADING = 1.5  # power of a window's detail with which the others are misled more: soft subjects look like wide blurs
OFFSET = 0.1  # by which all windows together differ from the whole image's estimate, blur constant or not
FREEDOM, ROUNDS = 4.0, 5  # of Student's t, for the windows that are far off all the same


@dataclass(frozen=True)
class Sites:
    """Estimates at places of one image.

    Args:
        places: middle of each window as (y, x) from the image's, in image diagonals.
        shapes: see `spectral.shape`.
        covariances: of each estimate's error.
        shared: share of its pixels that a window has in common with another.
        detail: rms gradient of each window, as a share of the greatest.
    """

    places: Float[Tensor, "n 2"]
    shapes: Float[Tensor, "n 3"]
    covariances: Float[Tensor, "n 3 3"]
    shared: Float[Tensor, "n n"]
    detail: Float[Tensor, " n"]


def smooth(
    sites: Sites, shape: Float[Tensor, " 3"], at: Float[Tensor, "m 2"], content: float = CONTENT
) -> tuple[Float[Tensor, "m 3"], float]:
    """Posterior mean of the shapes at places, about one shape, and the probability that the blur is constant.

    Args:
        sites: estimates, float64.
        shape: of the whole image.
        at: places as in `Sites`.
        content: see `CONTENT`.

    Source: Rasmussen & Williams, Gaussian Processes for Machine Learning, equations 2.23 and 2.30; Student's t as
    a normal whose precision is reweighted (Lange, Little & Taylor 1989).
    """
    misled = content * sites.detail**-FADING
    covariances = sites.covariances + torch.diag_embed(misled[:, None].expand(-1, 3) ** 2)
    trust = shape.new_ones(len(covariances))
    places = torch.cat([sites.places, at])
    found, constant = places.new_zeros(len(places), 3), 1.0
    for _ in range(ROUNDS):
        found, constant = _posterior(sites, covariances / trust[:, None, None], shape, places)
        away = sites.shapes - found[: len(trust)]
        distance = (away * torch.linalg.solve(covariances, away)).sum(1)
        trust = (FREEDOM + 3) / (FREEDOM + distance)
    return found[len(trust) :], constant


def _posterior(
    sites: Sites, covariances: Float[Tensor, "n 3 3"], shape: Float[Tensor, " 3"], at: Float[Tensor, "m 2"]
) -> tuple[Float[Tensor, "m 3"], float]:
    """Mean over all amplitudes and kinds of field, weighed by their evidence."""
    excess, every = (sites.shapes - shape).flatten(), torch.eye(3, dtype=shape.dtype)
    factors = torch.linalg.cholesky(covariances)
    # estimates from the same pixels err alike
    error = torch.einsum("iab,ij,jcb->iajc", factors, sites.shared, factors).reshape(len(excess), -1)
    error = error + OFFSET**2 * every.repeat(len(covariances), len(covariances))
    each = (1 - CONSTANT) / len(AMPLITUDES) / len(FIELDS)
    options = [(0.0, tilt, CONSTANT)] + [(size, of, each) for size in AMPLITUDES for of in FIELDS]
    spread = torch.diag(shape.new_tensor((1.0, ANISOTROPY, ANISOTROPY)) ** 2)
    evidence, means = [], []
    for amplitude, covariance, prior in options:
        field = torch.kron(covariance(sites.places, sites.places), amplitude**2 * spread)
        factor = torch.linalg.cholesky(field + error)
        weights = torch.cholesky_solve(excess[:, None], factor)[:, 0]
        evidence.append(math.log(prior) - 0.5 * excess @ weights - factor.diagonal().log().sum())
        across = torch.kron(covariance(at, sites.places), amplitude**2 * spread)
        means.append((across @ weights).view(-1, 3))
    belief = torch.stack(evidence).softmax(0)
    return shape + torch.einsum("o,oma->ma", belief, torch.stack(means)), float(belief[0])


def lens(a: Float[Tensor, "n 2"], b: Float[Tensor, "m 2"]) -> Float[Tensor, "n m"]:
    """Covariance of a multiple of the squared distance from the middle, less its mean; about unit variance."""
    return torch.outer(*((place.square().sum(1) - 1 / 12) / 0.053 for place in (a, b)))


def tilt(a: Float[Tensor, "n 2"], b: Float[Tensor, "m 2"]) -> Float[Tensor, "n m"]:
    """Covariance of a linear function; unit variance over an image."""
    return 12 * a @ b.mT


def free(a: Float[Tensor, "n 2"], b: Float[Tensor, "m 2"], reach: float) -> Float[Tensor, "n m"]:
    """Squared exponential covariance."""
    return torch.exp(-0.5 * torch.cdist(a, b).square() / reach**2)


# correlation lengths of a free one in image diagonals
FIELDS = (lens, tilt, partial(free, reach=0.35), partial(free, reach=0.7))
