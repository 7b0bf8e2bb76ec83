"""Widths of a radar's point spread from the correlation of its speckle: no scene has to be known.

Neighbouring pixels of fully developed speckle correlate as the point spread h does with itself, by gamma. An SLC shows
gamma, the transform of its mean periodogram; detected images show |gamma|^2 (Siegert) where the scene is homogeneous.
For a Gaussian |h|^2 of standard deviation sigma, |gamma(d)|^2 = exp(-d^2 / 4 sigma^2) along an axis.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

REACH = 3  # lags, pixels
BLOCK = 32
CALM = 0.25  # share of blocks, those of the least variation, that count as homogeneous
NARROWEST, WIDEST, STEPS = 0.2, 4.0, 150  # of the grid of standard deviations, LR pixels


def of_slc(image: Complex[Tensor, "h w"]) -> Float[Tensor, "lags lags"]:
    """|gamma|^2 up to `REACH` lags either way from the mean periodogram of any scene."""
    correlation = _autocovariance(image[None].to(torch.complex128))[0].abs()
    return (correlation / correlation[REACH, REACH]).square()


def of_detected(intensity: Float[Tensor, "h w"]) -> Float[Tensor, "lags lags"]:
    """|gamma|^2 up to `REACH` lags either way from homogeneous blocks, each about its mean.

    An image of less than a block a side is one block.
    """
    side = min(BLOCK, *intensity.shape)
    blocks = intensity.double().unfold(0, side, side).unfold(1, side, side).flatten(0, 1)
    mean = blocks.mean((1, 2), keepdim=True)
    relative = blocks / mean.clamp_min(1e-30) - 1
    calm = relative.square().mean((1, 2)).argsort()[: max(1, round(CALM * len(blocks)))]
    covariance = _autocovariance(relative[calm]).mean(0)
    covariance = covariance + covariance.sum() / side**2  # that of the mean of a block, which was taken away
    return covariance / covariance[REACH, REACH]


def fit(squared: Float[Tensor, "lags lags"]) -> tuple[Float[Tensor, " 2"], Float[Tensor, "2 2"]]:
    """Logarithms of sigma^2 in azimuth and range, LR pixel^2, and the covariance of their errors.

    Least squares over all lags but the one that noise adds to, none: single lags are too noisy to trust.
    """
    grid = torch.linspace(0, 1, STEPS, dtype=torch.float64)
    sigma = NARROWEST * (WIDEST / NARROWEST) ** grid
    lag = torch.arange(-REACH, REACH + 1, dtype=torch.float64)
    along = torch.exp(-lag.square() / (4 * sigma[:, None] ** 2))
    seen = torch.ones_like(squared)
    seen[REACH, REACH] = 0
    error = ((along[:, None, :, None] * along[None, :, None, :] - squared).square() * seen).sum((2, 3))
    azimuth, range_ = divmod(int(error.argmin()), STEPS)
    model = torch.outer(along[azimuth], along[range_]) * seen
    by_azimuth = model * (lag.square() / (4 * sigma[azimuth] ** 2))[:, None]
    by_range = model * (lag.square() / (4 * sigma[range_] ** 2))
    slopes = torch.stack([by_azimuth.flatten(), by_range.flatten()])
    fisher = slopes @ slopes.mT + 1e-6 * torch.eye(2, dtype=torch.float64)
    residual = error.min() / (seen.sum() / 2 - 2)  # every lag is there twice
    return 2 * torch.stack([sigma[azimuth], sigma[range_]]).log(), residual * torch.linalg.inv(fisher)


def _autocovariance(blocks: Tensor) -> Tensor:
    """Mean products at every lag, over the pairs that a block has; nothing wraps around."""
    height, width = blocks.shape[-2:]
    lag = torch.arange(-REACH, REACH + 1)
    padded = torch.fft.fft2(blocks, s=(height + REACH, width + REACH)).abs().square()
    products = torch.fft.ifft2(padded)[:, lag][:, :, lag]
    pairs = torch.outer(height - lag.abs(), width - lag.abs())
    return (products if blocks.is_complex() else products.real) / pairs
