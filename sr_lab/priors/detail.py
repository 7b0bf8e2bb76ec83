"""Where an image shows its blur: the windows with most edges, found at a cost that hardly grows with the image."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

MAX_LOOKED_AT = 2**20  # pixels of the image whose edges are measured, along rows and along columns


def edge_scores(
    image: Float[Tensor, "1 c h w"], tops: Sequence[int], lefts: Sequence[int], rows: int, columns: int
) -> Float[Tensor, "n m"]:
    """How much each rows x columns window with these corners tells: mean square root of its gradients.

    Square roots, since many edges count for more than one strong one. Saturated pixels tell nothing of a blur and
    count nothing. Of a large image only every n-th row and column is looked at.
    """
    across = _along_rows(image, tops, lefts, rows, columns)
    return across + _along_rows(image.mT, lefts, tops, columns, rows).mT


def most_detailed(image: Float[Tensor, "1 c h w"], side: int) -> Float[Tensor, "1 c a b"]:
    """The window of at most side x side with the highest score on a coarse grid."""
    height, width = image.shape[-2:]
    rows, columns = min(side, height), min(side, width)
    tops, lefts = (
        range(0, length - window + 1, max(1, side // 4))
        for length, window in ((height, rows), (width, columns))
    )
    best = int(edge_scores(image, tops, lefts, rows, columns).argmax())
    top, left = tops[best // len(lefts)], lefts[best % len(lefts)]
    return image[..., top : top + rows, left : left + columns]


def _along_rows(
    image: Tensor, tops: Sequence[int], lefts: Sequence[int], rows: int, columns: int
) -> Float[Tensor, "n m"]:
    """Mean over each window of the square root of the differences along every n-th row."""
    height, width = image.shape[-2:]
    every = min(-(-height * width // MAX_LOOKED_AT), rows)
    grey = image[0, :, ::every].mean(0)
    inside = (grey > 0.02) & (grey < 0.98)
    edges = F.pad(grey.diff(dim=-1).abs().sqrt(), (0, 1)) * inside
    total = F.pad(edges.double().cumsum(0).cumsum(1), (1, 0, 1, 0))
    first, left = torch.tensor(tops), torch.tensor(lefts)
    # the looked-at rows within top .. top + rows
    low, high = -(-first // every), -(-(first + rows) // every)
    count = (high - low).clamp_min(1)[:, None] * columns
    columns_of = total[:, left + columns] - total[:, left]
    return (columns_of[high] - columns_of[low]).cpu() / count
