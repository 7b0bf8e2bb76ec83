"""What photographs' spectra look like: mean and spread of the template's coefficients, measured on BSD400."""

import json
import math
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.gaussian import variance_range
from sr_lab.priors.spectral.spectrum import TERMS
from sr_lab.priors.spectral.whittle import Gaussian

FILE = Path(__file__).with_name("natural.json")
# 8-bit quantisation has a variance of 1.3e-6, and Whittle's sigma^2 is learned within a factor e^2 of twice that
NOISE_VARIANCE, LOG_NOISE_SPREAD = 2e-6, 2.0
# of the mean log-variance and of the anisotropy under FKP's range of kernels
SHAPE_SPREAD = (0.6, 0.45, 0.45)


def spectrum_prior() -> tuple[Float[Tensor, " t"], Float[Tensor, "t t"]]:
    """Mean and covariance of beta (see `spectrum.template`), in float64."""
    read = json.loads(FILE.read_text(encoding="utf-8"))
    mean = torch.tensor(read["mean"], dtype=torch.float64)
    return mean, torch.tensor(read["covariance"], dtype=torch.float64)


def typical_shape(scale: int) -> Float[Tensor, " 3"]:
    """The middle of FKP's range of kernels: what to assume of an image that tells nothing."""
    low, high = variance_range(scale)
    return torch.tensor([math.log((low + high) / 2 / scale**2) - 0.15, 0.0, 0.0], dtype=torch.float64)


def belief(shape: Float[Tensor, " 3"] | None, precision: Float[Tensor, "3 3"] | None, scale: int) -> Gaussian:
    """Prior on (shape, beta, log sigma^2): about a guessed shape, or about the typical one."""
    mean, covariance = spectrum_prior()
    if shape is None or precision is None:
        shape, precision = (
            typical_shape(scale),
            torch.diag(torch.tensor(SHAPE_SPREAD, dtype=torch.float64) ** -2),
        )
    noise = torch.tensor([math.log(NOISE_VARIANCE)], dtype=torch.float64)
    blocks = (
        precision,
        torch.linalg.inv(covariance + 1e-3 * torch.eye(TERMS, dtype=torch.float64)),
        torch.full((1, 1), LOG_NOISE_SPREAD**-2, dtype=torch.float64),
    )
    return Gaussian(torch.cat([shape, mean, noise]), torch.block_diag(*blocks))
