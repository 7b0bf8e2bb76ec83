"""Where an LR pixel sits on the HR grid: the anchor convention of a kernel, and the window it lives in."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

Anchor = Literal["fkp", "block_center"]


def default_kernel_size(scale: int) -> int:
    """Side of the kernel window of FKP and DKP: min(4s+3, 21), 11 / 15 / 19 / 21 for x2 / x3 / x4 / x8."""
    return min(4 * scale + 3, 21)


def anchor_centre(size: int, scale: int, anchor: Anchor) -> float:
    """Centre of mass, in 0-based kernel pixels on both axes, that a kernel of this convention has.

    `fkp` puts it at (k-s)/2, so that under correlation at phase 0 LR pixel i lies at HR s*i - (s-1)/2;
    `block_center` at (k+s)/2 - 1, so that it lies at s*i + (s-1)/2, the middle of its s x s block.
    """
    return (size - scale) / 2 if anchor == "fkp" else (size + scale) / 2 - 1


def to_anchor(kernel: Float[Tensor, "b 1 k k"], anchor: Anchor) -> Float[Tensor, "b 1 k k"]:
    """Bring kernels made at the `fkp` anchor to another: `block_center` is their rotation by 180 degrees."""
    return kernel if anchor == "fkp" else kernel.flip(-2, -1)
