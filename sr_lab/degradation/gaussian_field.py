"""Gaussian blur whose width grows over the image, as behind a simple lens: kernels on a grid, blended per pixel."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.blur import Boundary, check_boundary
from sr_lab.degradation.chain import Corruption, Degradation, Degraded
from sr_lab.degradation.gaussian import GaussianKernels, gaussian_kernels
from sr_lab.errors import UserError

NODES = 9  # kernels an axis; between them the blurred images are blended linearly


@dataclass(frozen=True)
class Field:
    """The drawn fields of n images: variances grow by `growth` from the sharpest place to the widest.

    Args:
        sampler: that drew it.
        variance: at the sharpest place, HR pixel^2.
        theta: angle of the first variance's axis, the same all over an image.
        growth: factor of the variances.
        direction: radians, in which they grow if the pattern is linear.
    """

    sampler: "GaussianField"
    variance: Float[Tensor, "n 2"]
    theta: Float[Tensor, " n"]
    growth: Float[Tensor, " n"]
    direction: Float[Tensor, " n"]

    def kernels(self, y: Float[Tensor, " m"], x: Float[Tensor, " m"]) -> Float[Tensor, "n m k k"]:
        """Kernels at relative places, 0 at the top and left edge of the image and 1 at the others."""
        v, u = (y - 0.5).expand(len(self.theta), -1), (x - 0.5).expand(len(self.theta), -1)
        if self.sampler.pattern == "radial":
            share = 2 * (u**2 + v**2)
        else:
            cos, sin = self.direction.cos()[:, None], self.direction.sin()[:, None]
            share = 0.5 + (cos * u + sin * v) / (cos.abs() + sin.abs())
        variance = self.variance[:, None] * (self.growth[:, None] ** share)[..., None]
        made = gaussian_kernels(
            variance.flatten(0, 1),
            self.theta.repeat_interleave(len(y)),
            scale=self.sampler.scale,
            size=self.sampler.kernel_size,
            anchor=self.sampler.anchor,
            recentre=self.sampler.recentre,
        )
        return made.view(len(self.theta), len(y), *made.shape[-2:])

    def grid(self) -> Float[Tensor, "n g g k k"]:
        """Kernels at the nodes of the blend."""
        place = torch.linspace(0, 1, NODES, dtype=torch.float64)
        y, x = torch.meshgrid(place, place, indexing="ij")
        return self.kernels(y.flatten(), x.flatten()).unflatten(1, (NODES, NODES))


@dataclass(frozen=True)
class GaussianField:
    """Sampler of fields of anisotropic Gaussian kernels.

    Args:
        scale: decimation s.
        size: odd window side; default min(4s+3, 21).
        variance: range of the variances anywhere in an image, HR pixel^2; default U(0.175 s, min(2.5 s, 10)).
        anchor: see `anchor_centre`.
        recentre: the published generator (True) or clean Gaussians (False); see `gaussian_kernels`.
        pattern: `radial` grows with the square of the distance from the middle, `linear` across the image.
        growth: [low, high] of the factor between the sharpest and the widest place; [1, 1] is a constant blur.
    """

    scale: int
    size: int | None = None
    variance: Sequence[float] | None = None
    anchor: Anchor = "fkp"
    recentre: bool = True
    pattern: Literal["radial", "linear"] = "radial"
    growth: Sequence[float | int] = (4.0, 9.0)

    def __post_init__(self) -> None:
        low, high = self._everywhere.variances
        if len(self.growth) != 2 or not 1 <= self.growth[0] <= self.growth[1] <= high / low:
            raise UserError(
                f"growth {list(self.growth)} is not a range between 1 and {high / low:.3g}, the ratio of the variances",
                where="degradation.kernels.growth",
                fix="give [low, high], such as [4, 9]",
            )

    @property
    def kernel_size(self) -> int:
        """Side of the window."""
        return self._everywhere.kernel_size

    @property
    def _everywhere(self) -> GaussianKernels:
        return GaussianKernels(self.scale, self.size, self.variance, self.anchor, self.recentre)

    def draw(self, n: int, generator: torch.Generator) -> Field:
        """Draw n fields: growth, then variances such that the widest are still in range, angles in [0, pi)."""
        low, high = self._everywhere.variances
        uniform = torch.rand(n, 5, generator=generator, dtype=torch.float64)
        growth = self.growth[0] + (self.growth[1] - self.growth[0]) * uniform[:, 0]
        variance = low + (high / growth - low)[:, None] * uniform[:, 1:3]
        return Field(self, variance, math.pi * uniform[:, 3], growth, 2 * math.pi * uniform[:, 4])

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n fields and give the mean kernel of each."""
        return self.draw(n, generator).grid().mean((1, 2))[:, None]


class VaryingBlur(Degradation):
    """y = corrupt(blur that varies over x, decimated by s).

    The kernel of a sample is the field's mean, and `forward` the operator of methods that assume one kernel: the
    truth is `blur_decimate_varying` with the field's grid.

    Args:
        scale: decimation s.
        kernels: sampler of fields.
        corruptions, anchor, boundary, phase: as in `Degradation`.
    """

    forward_is_exact = False

    def __init__(
        self,
        scale: int,
        kernels: GaussianField,
        corruptions: Sequence[Corruption] = (),
        anchor: Anchor = "fkp",
        boundary: Boundary = "reflect",
        phase: int = 0,
    ) -> None:
        super().__init__(scale, kernels, corruptions, anchor, boundary, phase)
        self.fields = kernels

    def degrade(
        self,
        hr: Float[Tensor, "b c hs ws"],
        generator: torch.Generator,
        facts: Mapping[str, Any] | None = None,
    ) -> Degraded:
        """Draw fields and noise, and degrade."""
        grid = self.fields.draw(len(hr), generator).grid().to(hr.device)
        lr = blur_decimate_varying(hr, grid, self.scale, boundary=self.boundary, phase=self.phase)
        return self.corrupt(lr, grid.mean((1, 2))[:, None], generator)


def blur_decimate_varying(
    image: Float[Tensor, "b c h w"],
    grid: Float[Tensor, "b g g k k"],
    stride: int,
    *,
    boundary: Boundary = "reflect",
    phase: int = 0,
) -> Float[Tensor, "b c hs ws"]:
    """`blur_decimate` with the kernel that bilinear interpolation between g x g kernels gives at each LR pixel.

    Each kernel is applied only where it has weight, so that the whole costs four constant blurs; differentiable.

    Args:
        image: any range; every channel is blurred alike.
        grid: kernels from edge to edge of the image, g >= 2.
        stride: as in `blur_decimate`, and so are boundary and phase.
        boundary: see there.
        phase: see there.

    Raises:
        UserError: as in `blur_decimate`.
    """
    size, nodes = grid.shape[-1], grid.shape[1]
    check_boundary(image, size // 2, boundary)
    padded = F.pad(image, (size // 2,) * 4, mode=boundary)[..., phase:, phase:].transpose(0, 1)
    hats_y, hats_x = (_hats(-(-(side - phase) // stride), nodes, image) for side in image.shape[-2:])
    out = image.new_zeros(*image.shape[:2], hats_y.shape[1], hats_x.shape[1])
    for row, hat_y in enumerate(hats_y):
        y = _support(hat_y)
        lines = padded[..., y.start * stride : (y.stop - 1) * stride + size, :]
        for column, hat_x in enumerate(hats_x):
            x = _support(hat_x)
            piece = lines[..., x.start * stride : (x.stop - 1) * stride + size]
            kernel = grid[:, row, column, None]
            blurred = F.conv2d(piece, kernel, stride=stride, groups=len(image)).transpose(0, 1)
            out[..., y, x] += blurred * torch.outer(hat_y[y], hat_x[x])
    return out


def _hats(length: int, nodes: int, like: Tensor) -> Float[Tensor, "g n"]:
    """Weight of each node at each pixel: linear interpolation between nodes at the edges and evenly between."""
    place = (torch.arange(length, dtype=like.dtype, device=like.device) + 0.5) / length * (nodes - 1)
    return (1 - (place - torch.arange(nodes, device=like.device)[:, None]).abs()).clamp_min(0)


def _support(hat: Tensor) -> slice:
    """Pixels where a hat is above zero; the first one where it is nowhere (an image smaller than the grid)."""
    inside = hat.nonzero()
    return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 1)
