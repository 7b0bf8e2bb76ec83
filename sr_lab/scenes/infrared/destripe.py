"""Column stripes of uncooled detectors, told from the scene by what all rows of a column agree on."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

NEIGHBOURS = 15  # columns over which a scene's own columns vary slowly
SPREAD = 1.4826  # of a normal distribution over its median absolute deviation
MEDIAN = 1.2533  # standard error of a median over that of a mean
ALIKE = 20.0  # rows that repeat each other: a scene is no white noise


def column_offsets(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 1 w"]:
    """What each column's level lies above its neighbours', for the half of its rows and more that agree on it.

    The median over a column of the image minus a running mean over 15 columns: an object that fills less than half of
    a column is no stripe. It is shrunk by Wiener's factor, given how far rows of this image differ from each other: an
    image without stripes is left almost as it is. Offsets add up to 0, so that the mean is kept. Levels that rise and
    fall slowly over the columns cannot be told from the scene and stay.

    Args:
        image: any range; at least 3 columns.
    """
    detail = image - _smooth(image)
    offsets = detail.median(-2, keepdim=True).values
    offsets = offsets - _smooth(offsets)
    rows_apart = (detail - offsets).abs().median(-2, keepdim=True).values * SPREAD
    error = (MEDIAN * rows_apart) ** 2 * ALIKE / image.shape[-2]
    power = offsets.square().mean(-1, keepdim=True)
    kept = (1 - error.mean(-1, keepdim=True) / power.clamp_min(1e-20)).clamp(0, 1)
    offsets = kept * offsets
    return offsets - offsets.mean(-1, keepdim=True)


def without_stripes(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The image less its columns' offsets."""
    return image - column_offsets(image)


def _smooth(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Running mean along the rows."""
    reach = min(NEIGHBOURS, (image.shape[-1] - 1) // 2 * 2 + 1) // 2
    padded = F.pad(image, (reach, reach, 0, 0), mode="reflect") if reach else image
    return F.avg_pool2d(padded, (1, 2 * reach + 1), stride=1)
