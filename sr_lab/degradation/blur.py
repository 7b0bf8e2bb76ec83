"""Blur and decimation as one strided correlation: only the pixels that are kept are computed."""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError

Boundary = Literal["circular", "reflect", "replicate"]


def blur_decimate(
    image: Float[Tensor, "b c h w"],
    kernel: Float[Tensor, "n 1 k k"],
    stride: int,
    *,
    boundary: Boundary = "circular",
    phase: int = 0,
) -> Float[Tensor, "n c hs ws"]:
    """Correlate each image with its own kernel (not flipped), keep rows and columns phase, phase + s, ...

    Args:
        image: any range; every channel is blurred by the same kernel.
        kernel: odd side k; the padding is k // 2. n is b, or a multiple of it: the first n / b kernels are those
            of the first image, which comes back once for each, and so on.
        stride: decimation s; 1 keeps every pixel.
        boundary: how the image goes on beyond its edge.
        phase: first row and column kept, 0 <= phase < s.

    Raises:
        UserError: the image is too small to go on beyond its edge by k // 2.

    Source: FKP `degradation`, y = (x (*) k) decimated by s; the stride makes it s^2 times cheaper and changes
    nothing.
    """
    pad = kernel.shape[-1] // 2
    check_boundary(image, pad, boundary)
    padded = F.pad(image, (pad, pad, pad, pad), mode=boundary)[..., phase:, phase:]
    # channels become the batch and images the groups, so no kernel is repeated
    return F.conv2d(padded.transpose(0, 1), kernel, stride=stride, groups=image.shape[0]).transpose(0, 1)


def check_boundary(image: Float[Tensor, "b c h w"], pad: int, boundary: Boundary) -> None:
    """See that an image is large enough to go on beyond its edge by `pad`.

    Raises:
        UserError: it is not.
    """
    height, width = image.shape[-2:]
    if boundary != "replicate" and min(height, width) < pad + (boundary == "reflect"):
        raise UserError(
            f"a {height}x{width} image is too small for a {boundary} boundary of {pad} px",
            where="degradation.boundary",
            fix="use a larger image, a smaller kernel or the replicate boundary",
        )
