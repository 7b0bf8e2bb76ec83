"""The kernel network's belief about an image: over its most detailed windows and all eight turns of each."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.kernel_net import KernelNet
from sr_lab.priors.detail import edge_scores

WINDOW = 192
MAX_WINDOWS = 4


def detailed_windows(
    luminance: Float[Tensor, "1 1 h w"], side: int = WINDOW, count: int = MAX_WINDOWS
) -> list[Float[Tensor, "1 1 a b"]]:
    """The image itself if it is small, else its `count` windows with most edges, which do not overlap."""
    height, width = luminance.shape[-2:]
    if height * width <= count * side * side:
        return [luminance]
    rows, columns = min(side, height), min(side, width)
    tops, lefts = range(0, height - rows + 1, rows), range(0, width - columns + 1, columns)
    scores = edge_scores(luminance, tops, lefts, rows, columns)
    best = scores.flatten().argsort(descending=True)[:count].tolist()
    corners = [(tops[place // len(lefts)], lefts[place % len(lefts)]) for place in best]
    return [luminance[..., top : top + rows, left : left + columns] for top, left in corners]


@torch.no_grad()
def guess(
    net: KernelNet, luminance: Float[Tensor, "1 1 h w"], scale: int
) -> tuple[Float[Tensor, " 3"], Float[Tensor, "3 3"]]:
    """Mean and precision of the shape, in float64 on the CPU.

    Turning and mirroring an image turns and mirrors its blur, so eight answers are turned back and averaged; windows
    are averaged by their precision.
    """
    means, precisions = [], []
    for window in detailed_windows(luminance):
        answers = [
            _turned(net, window, scale, mirrored, turns) for mirrored in (False, True) for turns in range(4)
        ]
        means.append(torch.stack([mean for mean, _ in answers]).mean(0))
        precisions.append(torch.stack([precision for _, precision in answers]).mean(0))
    total = torch.stack(precisions).sum(0)
    weighted = torch.stack([p @ m for p, m in zip(precisions, means, strict=True)]).sum(0)
    # windows share what is wrong with the net, so they are no independent witnesses
    return torch.linalg.solve(total, weighted), total / len(means)


def _turned(
    net: KernelNet, window: Tensor, scale: int, mirrored: bool, turns: int
) -> tuple[Float[Tensor, " 3"], Float[Tensor, "3 3"]]:
    image = torch.rot90(window.flip(-1) if mirrored else window, turns, (-2, -1)).contiguous()
    belief = net(image, scale)
    # a quarter turn exchanges x and y and negates xy; a mirror negates xy
    quarter, mirror = math.pow(-1, turns), -1.0 if mirrored else 1.0
    sign = torch.tensor([1.0, quarter, quarter * mirror], dtype=torch.float64)
    factor = belief.factor[0].cpu().double()
    return belief.mean[0].cpu().double() * sign, (factor @ factor.mT) * sign[:, None] * sign
