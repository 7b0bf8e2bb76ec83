"""Squared total variation over space and over bands: what a smooth cube has little of.

Source: SSPSR (Jiang et al., TCI 2020), which adds 1e-3 of the first and 2e-3 of the second to L1.
"""

from jaxtyping import Float
from torch import Tensor


def spatial_variation(sr: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """Mean squared difference of vertical neighbours plus that of horizontal ones; 0 along an axis of one pixel."""
    return _mean_square(sr.diff(dim=2)) + _mean_square(sr.diff(dim=3))


def spectral_variation(sr: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """Mean squared difference of neighbouring bands; 0 for a single band."""
    return _mean_square(sr.diff(dim=1))


def _mean_square(differences: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    return differences.square().flatten(1).sum(1) / max(differences[0].numel(), 1)
