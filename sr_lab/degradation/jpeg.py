"""JPEG compression of a batch, one quality per image, differentiable."""

from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError


def jpeg(image: Float[Tensor, "b c h w"], quality: Float[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
    """Compress and decompress with baseline JPEG: standard tables, 4:2:0 chroma.

    Args:
        image: 1 (grey) or 3 (RGB) channels in [0, 1], any size; the edge is repeated up to
            multiples of 16.
        quality: 1 (worst) to 100, per image, as in libjpeg.

    Returns:
        image in [0, 1]. A polynomial with a gradient stands for rounding, so the result is close to a real
        codec's, not equal to it: errors are about a tenth smaller.

    Raises:
        UserError: another number of channels, or a quality out of range.

    Source: kornia's `jpeg_codec_differentiable` (Reich et al. 2024; Shin and Song 2017).
    """
    from kornia.enhance import jpeg_codec_differentiable

    channels = image.shape[1]
    if channels not in (1, 3):
        raise UserError(
            f"JPEG takes 1 or 3 channels, got {channels}",
            where="jpeg",
            fix="Leave JPEG out of the degradation of scenes with other channel counts",
        )
    low, high = quality.min().item(), quality.max().item()
    if low < 1 or high > 100:
        raise UserError(
            f"JPEG qualities run from {low:g} to {high:g}", where="jpeg", fix="Choose qualities from 1 to 100"
        )
    decoded = jpeg_codec_differentiable(image.expand(-1, 3, -1, -1), quality.to(image))
    if channels == 1:
        decoded = decoded.mean(dim=1, keepdim=True)
    return decoded.clamp(0, 1)  # kornia's soft clipping overshoots by up to 0.02 grey levels
