"""Restoration of images of any size: overlapping LR tiles, each in its own margin of real pixels."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Solve = Callable[[Tensor], Tensor]


def restore_tiled(
    lr: Float[Tensor, "b c h w"], scale: int, solve: Solve, *, tile: int = 192, margin: int = 16
) -> Float[Tensor, "b c hs ws"]:
    """Apply `solve` to reflect-padded tiles and keep the middle of each.

    The margin keeps a solver's circular boundary, and what lies behind a tile's edge, out of the result; an image
    smaller than a tile is restored in one piece with the same margin.

    Args:
        lr: image.
        scale: s, by which `solve` enlarges.
        solve: from an LR tile to its SR tile.
        tile: side of the kept part, LR pixels.
        margin: LR pixels around it, at least a kernel's radius plus the network's reach.
    """
    height, width = lr.shape[-2:]
    padded = _reflect(lr, margin)
    sr = lr.new_empty(*lr.shape[:2], height * scale, width * scale)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            h, w = min(tile, height - top), min(tile, width - left)
            piece = padded[..., top : top + h + 2 * margin, left : left + w + 2 * margin]
            keep = slice(margin * scale, (margin + h) * scale), slice(margin * scale, (margin + w) * scale)
            place = slice(top * scale, (top + h) * scale), slice(left * scale, (left + w) * scale)
            sr[..., place[0], place[1]] = solve(piece)[..., keep[0], keep[1]]
    return sr


def most_detailed_crop(image: Float[Tensor, "b c h w"], side: int) -> tuple[int, int]:
    """Top and left of the side x side window with the strongest gradients, on a coarse grid.

    Windows that are mostly saturated (0 or 1) tell nothing of a blur and lose accordingly.
    """
    grey = image.mean(1, keepdim=True)
    dx = F.pad(grey.diff(dim=-1).abs(), (0, 1))
    dy = F.pad(grey.diff(dim=-2).abs(), (0, 0, 0, 1))
    # square roots: many edges count for more than one strong one
    score = ((dx + dy).sqrt() * ((grey > 0.02) & (grey < 0.98))).mean(0, keepdim=True)
    stride = max(1, side // 4)
    pooled = F.avg_pool2d(score, side, stride)
    best = int(torch.argmax(pooled))
    return best // pooled.shape[-1] * stride, best % pooled.shape[-1] * stride


def _reflect(image: Tensor, margin: int) -> Tensor:
    """Reflect padding in several goes, since torch pads less than one side at a time."""
    left = margin
    while left > 0:
        step = min(left, min(image.shape[-2:]) - 1)
        if step < 1:
            return F.pad(image, (left,) * 4, mode="replicate")
        image = F.pad(image, (step,) * 4, mode="reflect")
        left -= step
    return image
