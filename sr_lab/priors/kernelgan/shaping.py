"""From what was learnt at half the size to kernels of the asked scale, window and anchor."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.gaussian import centre_of_mass
from sr_lab.degradation.spline import spline_shift


def thinned(
    kernel: Float[Tensor, "1 1 k k"], keep: int = 40, share: float = 0.75
) -> Float[Tensor, "1 1 k k"]:
    """Lower all values by `share` of the largest but `keep`, clip at 0, and scale to sum 1."""
    cut = share * kernel.flatten().sort(descending=True).values[keep]
    positive = (kernel - cut).clamp_min(0)
    return positive / positive.sum()


def analytic_x4(kernel: Float[Tensor, "1 1 k k"]) -> Float[Tensor, "1 1 m m"]:
    """The kernel that downscales by 4 as this one does twice by 2: m = 3k - 2 less k // 2 at every side, sum 1.

    Source: Bell-Kligler et al., NeurIPS 2019, appendix; FKP's repository crops it so.
    """
    whole = F.conv_transpose2d(kernel, kernel, stride=2)
    cropped = F.pad(whole, [-(kernel.shape[-1] // 2)] * 4)
    return cropped / cropped.sum()


def recentred(kernel: Float[Tensor, "1 1 k k"], size: int, centre: float) -> Float[Tensor, "1 1 n n"]:
    """The kernel in a window of odd side, its centre of mass moved there by a cubic spline, non-negative, sum 1."""
    wide = F.pad(kernel.double(), [size] * 4)  # room to move in before the window cuts
    before = (wide.shape[-1] - size) // 2

    def placed(shift: Tensor) -> Tensor:
        moved = spline_shift(wide[0], shift)[None, :, before : before + size, before : before + size]
        return moved.clamp_min(0) / moved.clamp_min(0).sum()

    shift = centre + before - centre_of_mass(wide)
    for _ in range(4):  # tails that are cut off displace the centre again, by less each time
        shift = shift + centre - centre_of_mass(placed(shift))
    return placed(shift).to(kernel)


def windowed(kernel: Float[Tensor, "1 1 k k"], size: int) -> Float[Tensor, "1 1 n n"]:
    """The kernel padded or cropped about its middle, which keeps its anchor."""
    return F.pad(kernel, [(size - kernel.shape[-1]) // 2] * 4)
