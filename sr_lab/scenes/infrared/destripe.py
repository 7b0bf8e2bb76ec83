"""Column stripes of uncooled detectors, told from the scene by what all rows of a column agree on."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

NEIGHBOURS = 15  # columns over which a scene's own columns vary slowly
TINY = 1e-20
SPREAD = 1.4826  # of a normal distribution over its median absolute deviation
MEDIAN = 1.2533  # standard error of a median over that of a mean
ALIKE = 4.0  # rows that repeat each other: a scene is no white noise
STRIPS = 4  # of rows, which must agree
AGREED = (
    0.6  # agreement from which columns count as striped; frames with stripes have 0.7 and more, others less
)


def column_offsets(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 1 w"]:
    """What each column's level lies above its neighbours', if all heights of the image agree on it; else 0.

    The median over a column of the image minus a running mean over 15 columns: an object that fills less than half of
    a column is no stripe. A detector's columns are off over their whole height, a scene's hardly ever are: where four
    strips of rows do not agree, nothing is a stripe. What remains is shrunk by Wiener's factor, given how far rows
    differ. Offsets add up to 0, so that the mean is kept. Levels that rise and fall slowly over the columns cannot be
    told from the scene and stay.

    Args:
        image: any range; at least 3 columns.
    """
    detail = image - _smooth(image)
    offsets = _offsets(detail)
    rows_apart = (detail - offsets).abs().median(-2, keepdim=True).values * SPREAD
    error = (MEDIAN * rows_apart) ** 2 * ALIKE / image.shape[-2]
    power = offsets.square().mean(-1, keepdim=True)
    kept = (1 - error.mean(-1, keepdim=True) / power.clamp_min(TINY)).clamp(0, 1)
    offsets = torch.where(_agreement(detail) >= AGREED, kept * offsets, 0.0)
    return offsets - offsets.mean(-1, keepdim=True)


def _offsets(detail: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 1 w"]:
    medians = detail.median(-2, keepdim=True).values
    return medians - _smooth(medians)


def agreement(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 1 1"]:
    """How far the heights of an image agree on its columns' offsets: 1 where all do, about 0 where none does.

    Mean product of two strips' offsets over their mean square.
    """
    return _agreement(image - _smooth(image))


def _agreement(detail: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 1 1"]:
    strips = torch.stack([_offsets(part) for part in detail.chunk(STRIPS, -2)])
    count = len(strips)
    own = strips.square().sum(0).mean(-1, keepdim=True)
    both = strips.sum(0).square().mean(-1, keepdim=True) - own
    return both / (max(count - 1, 1) * own).clamp_min(TINY)


def without_stripes(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The image less its columns' offsets."""
    return image - column_offsets(image)


def _smooth(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Running mean along the rows."""
    reach = min(NEIGHBOURS, (image.shape[-1] - 1) // 2 * 2 + 1) // 2
    padded = F.pad(image, (reach, reach, 0, 0), mode="reflect") if reach else image
    return F.avg_pool2d(padded, (1, 2 * reach + 1), stride=1)
