"""Refinement of an estimated blur through the solver: what a kernel cannot explain stays when its SR is degraded."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.chain import Degradation
from sr_lab.priors.detail import most_detailed
from sr_lab.priors.spectral.prior import Spectral

SIDE, FRAME = 192, 24  # SR pixels of the crop that is restored, and of its frame, where its edges speak
CAUTIONS = tuple(0.5 * step for step in range(-1, 7))  # that are tried

Restore = Callable[[Float[Tensor, "b c h w"], Float[Tensor, "b 1 k k"]], Float[Tensor, "b c hs ws"]]


def refined(
    restore: Restore, prior: Spectral, lr: Float[Tensor, "b c h w"], degradation: Degradation, weight: float
) -> Float[Tensor, "b 1 k k"]:
    """Kernels of a prior that has started, each lowered by the caution that suits its image best.

    The cost is that of eight restorations of a 192x192 px crop.

    Args:
        restore: the solver, from LR images and kernels to SR images.
        prior: its own caution is the middle of what is believed.
        lr: the images.
        degradation: D.
        weight: see `preferred`.
    """
    crops = detailed_crops(lr, SIDE // degradation.scale)
    tried = [prior.lowered(torch.full((len(lr),), caution)) for caution in CAUTIONS]
    rms = torch.stack([residual(restore(crops, kernel), kernel, crops, degradation) for kernel in tried])
    return prior.lowered(preferred(rms, prior.caution, weight))


def preferred(rms: Float[Tensor, "t b"], caution: float, weight: float) -> Float[Tensor, " b"]:
    """Of CAUTIONS, the one with the least (c - caution)^2 / 2 + weight log rms(c)."""
    steps = torch.tensor(CAUTIONS)
    return steps[(0.5 * (steps[:, None] - caution) ** 2 + weight * rms.cpu().log()).argmin(0)]


def residual(
    sr: Float[Tensor, "b c hs ws"],
    kernel: Float[Tensor, "b 1 k k"],
    lr: Float[Tensor, "b c h w"],
    degradation: Degradation,
) -> Float[Tensor, " b"]:
    """Rms of D(sr, kernel) - lr within the frame; at least a hundredth of a grey level."""
    frame = min(FRAME // degradation.scale, (min(lr.shape[-2:]) - 1) // 2)
    away = (degradation(sr, kernel) - lr)[..., frame : lr.shape[-2] - frame, frame : lr.shape[-1] - frame]
    return away.square().mean((1, 2, 3)).sqrt().clamp_min(0.01 / 255)


def detailed_crops(lr: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b c h2 w2"]:
    """The most detailed square of each image, or what there is of it."""
    return torch.cat([most_detailed(one[None], side) for one in lr])
