"""Losses between radar images, all of the natural logarithm of intensity: v of the estimate, u of the observation."""

from collections.abc import Mapping
from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr_lab.losses.weighted import Loss

REACH = 4  # pixels that the averages on either side of an edge take in
DECAY = 0.7  # of their weights from pixel to pixel
BLOCK = 16  # pixels a side, over which intensity is to be kept

Logs = Float[Tensor, "b 1 h w"]
Scores = Float[Tensor, " b"]


def fisher_tippett(v: Logs, u: Logs) -> Scores:
    """Negative log-likelihood of log intensity under speckle, v - u + exp(u - v), mean over pixels; times L looks.

    It is least where exp(v) is the mean of intensity, and so keeps the radiometry: an L1 of logarithms is least at
    their median, an L2 at their mean, which single-look speckle puts 1.6 and 2.5 dB lower.

    Source: the Gamma likelihood of intensity, ln mu + y/mu, up to what v cannot change.
    """
    return (v - u + (u - v).exp()).mean((1, 2, 3))


def half_gaussian(v: Logs, part: Float[Tensor, "b 1 h w"]) -> Scores:
    """Negative log-likelihood of the real or the imaginary part b of a complex image of reflectivity R = exp(v).

    (ln R)/2 + b^2/R, mean over pixels; least at R = 2 b^2 on average, |z|^2 having two such parts.

    Source: MERLIN (Dalsasso, Denis and Tupin, TGRS 2021), eq. 5.
    """
    return (v / 2 + part.square() * (-v).exp()).mean((1, 2, 3))


def log_ratio_l1(v: Logs, u: Logs) -> Scores:
    """L1 between ratios of averages on both sides of every pixel, in four directions, as logarithms (ROEWA).

    Weights fall off exponentially over 4 pixels to either side. Under multiplicative noise the ratio, unlike a
    difference, is as noisy in bright places as in dark ones.

    Source: Fjortoft et al., TGRS 36(3), 1998, with weights cut off.
    """
    return (_log_ratios(v) - _log_ratios(u)).abs().mean((1, 2, 3))


def radiometry(v: Logs, u: Logs) -> Scores:
    """L1 between logarithms of mean intensity over blocks of 16x16 px."""
    means = [F.avg_pool2d(one.exp(), BLOCK).clamp_min(1e-12).log() for one in (v, u)]
    return (means[0] - means[1]).abs().mean((1, 2, 3))


LOSSES: Mapping[str, Loss] = {
    "fisher_tippett": fisher_tippett,
    "log_ratio_l1": log_ratio_l1,
    "radiometry": radiometry,
}


def _log_ratios(log: Logs) -> Float[Tensor, "b 4 h2 w2"]:
    means = F.conv2d(log.exp(), _sides().to(log)).clamp_min(1e-12).log()
    return means[:, :4] - means[:, 4:]


@cache
def _sides() -> Float[Tensor, "8 1 k k"]:
    """Averages before and behind a pixel: across, down, and along both diagonals."""
    place = torch.arange(-REACH, REACH + 1, dtype=torch.float64)
    y, x = torch.meshgrid(place, place, indexing="ij")
    sides = []
    for along in (x, y, (x + y) / 2**0.5, (x - y) / 2**0.5):
        across = torch.maximum(y.abs(), x.abs())
        weight = DECAY**across * (along > 0.5)
        sides.append(weight / weight.sum())
    before = torch.stack(sides)
    return torch.cat([before, before.flip((-2, -1))])[:, None]
