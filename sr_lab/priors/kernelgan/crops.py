"""Square crops of one image, drawn where its strongest edges are."""

import warnings

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.priors.spectral.luminance import luminance

# pixels a side: half of less, without the kernel's width, is narrower than what a critic sees
SMALLEST = 32
BLUR = 5  # px, of the edge map
STRONG = 0.97  # share of the pixels whose gradient does not count


def room(height: int, width: int, crop: int, border: int, image_id: str) -> tuple[int, int]:
    """Side of the crops and the border left out, in an image that may be too small for both.

    The crop shrinks to what lies inside the border, but not below `SMALLEST`; from there on the border gives way.

    Raises:
        UserError: the image, or the crop asked for, is smaller than `SMALLEST`.
    """
    if crop < SMALLEST:
        raise UserError(
            f"crops of {crop} px are too small", where="prior.crop", fix=f"use at least {SMALLEST}"
        )
    shortest = min(height, width)
    if shortest < SMALLEST:
        raise UserError(
            f"'{image_id}' has {width}x{height} LR pixels, too few to compare with itself at half the size",
            where="prior",
            fix=f"give at least {SMALLEST} pixels a side, or choose prior=spectral",
        )
    inside = shortest - 2 * border
    if inside >= crop:
        return crop, border
    if inside >= SMALLEST:
        side = inside - inside % 2
    else:
        side, border = SMALLEST, (shortest - SMALLEST) // 2
    warnings.warn(
        f"'{image_id}' has {width}x{height} LR pixels: crops of {side} px instead of {crop}, {border} px off the "
        "edge; expect a poorer kernel",
        stacklevel=2,
    )
    return side, border


class Crops:
    """Crops at even rows and columns, drawn in proportion to the edges in the middle of each.

    Args:
        image: to cut from; crops are copies of it.
        edges: weight of every pixel; all zero draws uniformly.
        side: of the crops.
    """

    def __init__(self, image: Float[Tensor, "1 c h w"], edges: Float[Tensor, "1 1 h w"], side: int) -> None:
        self.windows = image[0].unfold(1, side, 2).unfold(2, side, 2)  # a view: c rows columns side side
        # the middle: a box of half the crop's side
        middle = F.avg_pool2d(edges.double(), side // 2, stride=1)[0, 0]
        rows, columns = self.windows.shape[1:3]
        first = side // 4
        chance = middle[first : first + 2 * rows : 2, first : first + 2 * columns : 2].flatten().cpu()
        self.cumulative = (chance if chance.sum() > 0 else torch.ones_like(chance)).cumsum(0)

    def draw(self, count: int, generator: torch.Generator) -> Float[Tensor, "n c k k"]:
        """Independent crops, with replacement."""
        at = torch.rand(count, generator=generator, dtype=torch.float64) * self.cumulative[-1]
        place = torch.searchsorted(self.cumulative, at, right=True).clamp(max=len(self.cumulative) - 1)
        columns = self.windows.shape[2]
        return self.windows[:, place // columns, place % columns].transpose(0, 1).contiguous()


def strong_edges(grey: Float[Tensor, "1 1 h w"]) -> Float[Tensor, "1 1 h w"]:
    """Where horizontal, vertical and total gradients are among the strongest 3 %, slightly blurred."""
    by_row, by_column = torch.gradient(grey, dim=(-2, -1))
    inside = torch.zeros_like(grey)
    inside[..., BLUR:-BLUR, BLUR:-BLUR] = 1
    total = torch.zeros_like(grey)
    for gradient in (by_row.abs(), by_column.abs(), torch.hypot(by_row, by_column)):
        gradient = gradient * inside
        threshold = gradient.flatten().kthvalue(int(STRONG * gradient.numel()) + 1).values
        strong = (gradient > threshold).to(grey)
        total += strong / strong.sum().clamp_min(1)
    return F.avg_pool2d(total, BLUR, stride=1, padding=BLUR // 2)


def crops_of_both_sizes(
    image: Float[Tensor, "1 c h w"], side: int, small: int, border: int
) -> tuple[Crops, Crops]:
    """Crops to be halved, by the edges of the image at half its size, and crops to compare them with.

    Args:
        image: any number of channels.
        side: of the crops to be halved.
        small: of the others: what the halving leaves.
        border: px left out at each edge, where the blur of a synthetic image met what lies beyond.

    Source: KernelGAN's crop probabilities (Bell-Kligler et al., NeurIPS 2019) as in FKP's repository.
    """
    height, width = (length - 2 * border for length in image.shape[-2:])
    inner = image[..., border : border + height - height % 2, border : border + width - width % 2]
    grey = luminance(inner)
    halved = strong_edges(imresize(grey, 0.5)).repeat_interleave(2, -2).repeat_interleave(2, -1)
    return Crops(inner, halved, side), Crops(inner, strong_edges(grey), small)
