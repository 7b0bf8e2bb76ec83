"""What of the expected spectrum does not depend on its parameters: frequencies folded together, and the template.

A photograph's power is log P(f) = T(f) beta: a mean level, a slope and a curvature over log |f|, and three angular
harmonics.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# cycles per HR pixel at which the level is taken: the middle of the octaves that a photograph has
REFERENCE = 0.1
TERMS = 6


def template(fy: Float[Tensor, "*n"], fx: Float[Tensor, "*n"]) -> Float[Tensor, "*n t"]:
    """T(f) at HR frequencies in cycles per HR pixel."""
    squared = fy**2 + fx**2 + 1e-6
    octave = 0.5 * torch.log(squared) - math.log(REFERENCE)
    cos2, sin2 = (fx**2 - fy**2) / squared, 2 * fx * fy / squared
    return torch.stack([torch.ones_like(octave), octave, octave**2, cos2, sin2, cos2**2 - sin2**2], -1)


@dataclass(frozen=True)
class Aliases:
    """The s x s HR frequencies that decimation folds onto each LR frequency.

    Args:
        scale: s.
        frequency: (..., 2) as (y, x), cycles per LR pixel.
        basis: T at these frequencies.
    """

    scale: int
    frequency: Float[Tensor, "n m 2"]
    basis: Float[Tensor, "n m t"]


def aliases(fy: Float[Tensor, " n"], fx: Float[Tensor, " n"], scale: int) -> Aliases:
    """Those in [-s/2, s/2) LR cycles, rows of aliases first."""
    shift = torch.arange(scale, dtype=fy.dtype)
    ay = (fy[:, None, None] + shift[:, None] + scale / 2) % scale - scale / 2
    ax = (fx[:, None, None] + shift[None, :] + scale / 2) % scale - scale / 2
    ay, ax = (part.expand(-1, scale, scale).reshape(len(fy), -1) for part in (ay, ax))
    return Aliases(scale, torch.stack([ay, ax], -1), template(ay / scale, ax / scale))
