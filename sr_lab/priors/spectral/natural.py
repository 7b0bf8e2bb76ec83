"""What photographs' spectra look like: mean and spread of the template's coefficients, measured on BSD400."""

import json
import math
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.priors.spectral.aliases import TERMS
from sr_lab.priors.spectral.family import Gaussian

FILE = Path(__file__).with_name("natural.json")
# 8-bit quantisation has a variance of 1.3e-6, and Whittle's sigma^2 is learned within a factor e^2 of twice that
NOISE_VARIANCE, LOG_NOISE_SPREAD = 2e-6, 2.0


def spectrum_prior() -> tuple[Float[Tensor, " t"], Float[Tensor, "t t"]]:
    """Mean and covariance of beta (see `aliases.template`), in float64."""
    read = json.loads(FILE.read_text(encoding="utf-8"))
    mean = torch.tensor(read["mean"], dtype=torch.float64)
    return mean, torch.tensor(read["covariance"], dtype=torch.float64)


def belief(blur: Gaussian) -> Gaussian:
    """Prior on (shape, beta, log sigma^2), given what is believed of the shape."""
    mean, covariance = spectrum_prior()
    noise = torch.tensor([math.log(NOISE_VARIANCE)], dtype=torch.float64)
    blocks = (
        blur.precision,
        torch.linalg.inv(covariance + 1e-3 * torch.eye(TERMS, dtype=torch.float64)),
        torch.full((1, 1), LOG_NOISE_SPREAD**-2, dtype=torch.float64),
    )
    return Gaussian(torch.cat([blur.mean, mean, noise]), torch.block_diag(*blocks))
