"""Gaussian blurs by three unconstrained numbers: the matrix logarithm of their covariance in LR pixels squared."""

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.gaussian import gaussian_kernels

# variances, HR pixel^2, outside which a rendered kernel no longer changes
NARROWEST, WIDEST = 0.04, 60.0


def covariance(shape: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 2 2"]:
    """Exponential of [[a + b, c], [c, a - b]], x first; positive definite for any (a, b, c).

    a is the mean log-variance, (b, c) the strength and direction of the anisotropy.
    """
    a, b, c = shape.unbind(-1)
    # sinh(r) / r and cosh(r) of r^2 = b^2 + c^2, without a root's kink at r = 0
    r = torch.sqrt(b * b + c * c + 1e-12)
    even, odd = torch.cosh(r), torch.sinh(r) / r
    scale = torch.exp(a)
    xx, yy, xy = scale * (even + b * odd), scale * (even - b * odd), scale * c * odd
    return torch.stack([torch.stack([xx, xy], -1), torch.stack([xy, yy], -1)], -2)


def shape_of(matrix: Float[Tensor, "*b 2 2"]) -> Float[Tensor, "*b 3"]:
    """Inverse of `covariance`."""
    values, vectors = torch.linalg.eigh(matrix)
    log = vectors @ torch.diag_embed(values.log()) @ vectors.mT
    xx, yy, xy = log[..., 0, 0], log[..., 1, 1], log[..., 0, 1]
    return torch.stack([(xx + yy) / 2, (xx - yy) / 2, xy], -1)


def variances_and_angle(
    shape: Float[Tensor, "b 3"], scale: int
) -> tuple[Float[Tensor, "b 2"], Float[Tensor, " b"]]:
    """Variances along the axes in HR pixel^2 and the angle of the first one, as `gaussian_kernels` takes them."""
    values, vectors = torch.linalg.eigh(covariance(shape.double()) * scale**2)
    return values.clamp(NARROWEST, WIDEST), torch.atan2(vectors[:, 1, 0], vectors[:, 0, 0])


def render(shape: Float[Tensor, "b 3"], scale: int, size: int) -> Float[Tensor, "b 1 k k"]:
    """Kernels at the `fkp` anchor, made as the benchmark makes its own; they sum to 1."""
    variance, theta = variances_and_angle(shape, scale)
    return gaussian_kernels(variance, theta, scale=scale, size=size)
