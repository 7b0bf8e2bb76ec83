"""Sub-pixel shift of many small images by cubic B-splines: `scipy.ndimage.shift` in batched torch."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor


def _bspline3(x: Tensor) -> Tensor:
    """Cubic B-spline basis function at x."""
    a = x.abs()
    inner = 2 / 3 - a**2 + a**3 / 2
    outer = (2 - a).clamp(min=0) ** 3 / 6
    return torch.where(a < 1, inner, outer)


def _fold_mirror(weights: Tensor, n: int, pad: int) -> Tensor:
    """Add the weights of coefficients outside 0..n-1 to their mirror images (edge sample not repeated)."""
    folded = weights[..., pad : pad + n].clone()
    for i in range(pad):
        folded[..., pad - i] += weights[..., i]  # index i - pad mirrors to pad - i
        folded[..., n - 2 - i] += weights[..., pad + n + i]
    return folded


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # the cache outlives the caller's mode
def _prefilter(n: int) -> Tensor:
    """Matrix from samples to B-spline coefficients under mirror boundaries (float64)."""
    at = torch.arange(n, dtype=torch.float64)
    knots = torch.arange(-2, n + 2, dtype=torch.float64)
    return torch.linalg.inv(_fold_mirror(_bspline3(at[:, None] - knots), n, 2))


def spline_shift(image: Float[Tensor, "n k k"], shift: Float[Tensor, "n 2"]) -> Float[Tensor, "n k k"]:
    """Move each image by its (row, column) shift, cubic spline, zero fill.

    Args:
        image: float64 images, at least 3 x 3.
        shift: pixels; positive moves content down and right.

    Returns:
        float64 images, equal to `scipy.ndimage.shift(image, shift, order=3, mode="constant")`.
    """
    n = image.shape[-1]
    at = (
        torch.arange(n, dtype=torch.float64, device=image.device) - shift.to(torch.float64)[..., None]
    )  # (n, 2, k)
    knots = torch.arange(-2, n + 2, dtype=torch.float64, device=image.device)
    weights = _fold_mirror(_bspline3(at[..., None] - knots), n, 2)
    weights = weights * ((at >= 0) & (at <= n - 1))[..., None]
    matrix = weights @ _prefilter(n).to(image.device)
    return matrix[:, 0] @ image.to(torch.float64) @ matrix[:, 1].mT
