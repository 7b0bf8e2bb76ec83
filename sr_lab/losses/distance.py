"""How far a restored image is from the true one: pixel by pixel, by its edges, by the angle of its spectra."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

CLIP = 1e-6  # cosines stay this far from 1, where the slope of the angle is infinite
DARK = 1e-8  # squared length of the shortest spectrum; the slope at a shorter one stays finite
FLAT = 1e-6  # squared, under the root of a gradient's length


def l1(sr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """Mean absolute difference."""
    return (sr - hr).abs().mean((1, 2, 3))


def spectral_angle(sr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """Mean angle between spectra, as a share of pi: 0 for equal directions, 1/2 at right angles.

    The cosine is clipped to 1 - 1e-6 either way: angles below 0.08 degrees cost the same and have no slope.

    Source: the spectral angle mapper (Kruse et al. 1993) as a loss, in CST (Chen et al., TIP 2024) over pi too.
    """
    dot = (sr * hr).sum(1)
    lengths = (sr.square().sum(1).clamp_min(DARK) * hr.square().sum(1).clamp_min(DARK)).sqrt()
    angle = torch.acos((dot / lengths).clamp(CLIP - 1, 1 - CLIP))
    return angle.mean((1, 2)) / math.pi


def gradient_l1(sr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """Mean absolute difference of gradient lengths, the gradient taken over rows, columns and bands.

    Source: the edge term of CST (Chen et al., TIP 2024); here by forward differences, nought at the last pixel.
    """
    return (_gradient_length(sr) - _gradient_length(hr)).abs().mean((1, 2, 3))


def _gradient_length(cube: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    squares = torch.full_like(cube, FLAT)
    for axis, last in ((1, (0, 0, 0, 0, 0, 1)), (2, (0, 0, 0, 1)), (3, (0, 1))):
        squares = squares + F.pad(cube.diff(dim=axis), last).square()
    return squares.sqrt()
