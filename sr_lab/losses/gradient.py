"""Sparse-gradient penalty on images: sums of differences of neighbours to a power below 1."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

MARGIN = 1e-8  # keeps the slope finite where neighbours are equal


def gradient_penalty(image: Float[Tensor, "b c h w"], exponent: float) -> Float[Tensor, " b"]:
    """Sum of (|d| + 1e-8)^exponent over channels, pixels, and four neighbours: up, left, and left's two corners.

    The image goes on beyond its edge by reflection, so that every pixel has all four.

    Source: the hyper-Laplacian gradient prior (Krishnan and Fergus, NeurIPS 2009) in the form of DIP-DKP's code.
    """
    height, width = image.shape[-2:]
    around = F.pad(image, (1, 0, 1, 1), mode="reflect")
    starts = ((0, 1), (0, 0), (1, 0), (2, 0))
    neighbours = torch.stack([around[..., y : y + height, x : x + width] for y, x in starts])
    return ((image - neighbours).abs() + MARGIN).pow(exponent).sum((0, 2, 3, 4))
