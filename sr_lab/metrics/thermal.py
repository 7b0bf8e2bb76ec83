"""Measures of thermal images that cameras and their users go by; float64, one value per image.

Images are in the normalised range; `gain` turns differences into the file's own unit: grey levels, counts, kelvin.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr_lab.metrics.image import AnyImages

HOT = 0.999  # quantile that stands for a hot spot of a few pixels
NEIGHBOURS = 15  # columns over which a scene's own columns vary slowly

Images = Float[Tensor, "b 1 h w"]
Gains = Float[Tensor, " b"]
Scores = Float[Tensor, " b"]


def rmse_unit(sr: Images, hr: AnyImages, gain: Gains) -> Scores:
    """Root of the mean squared error, in the file's unit."""
    return gain.double() * (sr.double() - hr.double()).square().mean((1, 2, 3)).sqrt()


def hot_spot(sr: Images, hr: AnyImages, gain: Gains) -> Scores:
    """Error of the hottest pixel, |max SR - max HR|, in the file's unit."""
    return gain.double() * (sr.double().amax((1, 2, 3)) - hr.double().amax((1, 2, 3))).abs()


def hot_area(sr: Images, hr: AnyImages, gain: Gains) -> Scores:
    """Error of the 99.9th percentile, |SR - HR|, in the file's unit."""
    top = [torch.quantile(image.double().flatten(1), HOT, dim=1) for image in (sr, hr)]
    return gain.double() * (top[0] - top[1]).abs()


def drift(sr: Images, lr: AnyImages, gain: Gains) -> Scores:
    """How far the mean has moved, |mean SR - mean LR|, in the file's unit."""
    return gain.double() * (sr.double().mean((1, 2, 3)) - lr.double().mean((1, 2, 3))).abs()


def consistency(again: AnyImages, lr: AnyImages, gain: Gains) -> Scores:
    """Root mean square of D(SR) - LR, in the file's unit: what a sensor would have seen otherwise.

    Args:
        again: SR, degraded as HR was, without noise.
        lr: what the sensor saw.
        gain: of the file's unit.
    """
    return rmse_unit(again, lr, gain)


def stripes(image: Images) -> Scores:
    """Column stripes left in an image: standard deviation of the column means about their neighbours', in %.

    Of the normalised range; the mean of each column is taken without the outer tenths of its values, so that an object
    does not count as a stripe, and compared with a running mean over 15 columns.
    """
    ordered = image.double()[:, 0].sort(1).values
    cut = ordered.shape[1] // 10
    columns = ordered[:, cut : ordered.shape[1] - cut].mean(1)[:, None]
    reach = min(NEIGHBOURS, columns.shape[-1] // 2 * 2 - 1) // 2
    smooth = F.avg_pool1d(F.pad(columns, (reach, reach), mode="reflect"), 2 * reach + 1, stride=1)
    return 100 * (columns - smooth)[:, 0].std(1, correction=0)
