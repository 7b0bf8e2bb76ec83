"""Random anisotropic Gaussian kernels: the published generator with its spline, and a clean one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.anchor import Anchor, anchor_centre, default_kernel_size, to_anchor
from sr_lab.degradation.spline import spline_shift
from sr_lab.errors import UserError

_HEADROOM = 1.01  # over the greatest kernel value: room for the dequantisation, 1/720 of c


def variance_range(scale: int) -> tuple[float, float]:
    """Variances (HR pixel^2) of the FKP and DKP benchmarks: U(0.175 s, min(2.5 s, 10))."""
    return 0.175 * scale, min(2.5 * scale, 10.0)


def _gaussian(
    variance: Float[Tensor, "n 2"], theta: Float[Tensor, " n"], size: int, centre: float
) -> Float[Tensor, "n k k"]:
    """Unnormalised Gaussians R(theta) diag(variance) R(theta)^T on a size x size grid, in float64."""
    variance, theta = variance.to(torch.float64), theta.to(torch.float64)
    grid = torch.arange(size, dtype=torch.float64, device=theta.device) - centre
    x, y = grid[None, None, :], grid[None, :, None]
    cos, sin = torch.cos(theta)[:, None, None], torch.sin(theta)[:, None, None]
    along, across = cos * x + sin * y, cos * y - sin * x
    l1, l2 = variance[:, 0, None, None], variance[:, 1, None, None]
    return torch.exp(-0.5 * (along**2 / l1 + across**2 / l2))


def gaussian_kernels(
    variance: Float[Tensor, "n 2"],
    theta: Float[Tensor, " n"],
    *,
    scale: int,
    size: int | None = None,
    anchor: Anchor = "fkp",
    recentre: bool = True,
    gain: Float[Tensor, "n k k"] | None = None,
) -> Float[Tensor, "n 1 k k"]:
    """Gaussian kernels with given variances and angles.

    Args:
        variance: along and across the axis at angle `theta`, HR pixel^2 (variances, not standard deviations).
        theta: radians.
        scale: the decimation s that the anchor refers to.
        size: odd window side; default min(4s+3, 21).
        anchor: see `anchor_centre`.
        recentre: True repeats the published generator: the Gaussian is drawn (s-1)/2 px beyond the window
            centre, truncated, and moved back by a cubic spline with zero fill, which leaves s-1 hard zero
            rows and columns and tiny negative values. False evaluates the Gaussian at its place.
        gain: multiplies every pixel before centring (the generator's "kernel noise", 1 + U(-e, e)).

    Returns:
        float32 kernels that sum to 1.

    Source: FKP `prepare_dataset`, facts in its section on the degradation model.
    """
    size = size or default_kernel_size(scale)
    target = anchor_centre(size, scale, "fkp")
    if not recentre:
        raw = _gaussian(variance, theta, size, target)
        raw = raw if gain is None else raw * gain
    else:
        raw = _gaussian(variance, theta, size, size // 2 + 0.5 * (scale - size % 2))
        raw = raw if gain is None else raw * gain
        raw = spline_shift(raw, target - centre_of_mass(raw[:, None]))
    kernel = raw / raw.sum((-2, -1), keepdim=True)
    return to_anchor(kernel[:, None].to(torch.float32), anchor)


def centre_of_mass(kernel: Float[Tensor, "n 1 k k"]) -> Float[Tensor, "n 2"]:
    """Row and column of the centre of mass, 0-based pixels."""
    grid = torch.arange(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device)
    total = kernel.sum((-2, -1))[:, 0]
    rows = (kernel.sum(-1)[:, 0] * grid).sum(-1) / total
    columns = (kernel.sum(-2)[:, 0] * grid).sum(-1) / total
    return torch.stack([rows, columns], dim=-1)


@dataclass(frozen=True)
class GaussianKernels:
    """Sampler of random anisotropic Gaussian kernels.

    Args:
        scale: decimation s.
        size: odd window side; default min(4s+3, 21).
        variance: range of both variances, HR pixel^2; default U(0.175 s, min(2.5 s, 10)).
        anchor: see `anchor_centre`.
        recentre: the published generator (True) or clean Gaussians (False); see `gaussian_kernels`.
        pixel_noise: e of the multiplicative pixel noise 1 + U(-e, e); 0 in the published test sets.
        isotropic: one variance for both axes.
    """

    scale: int
    size: int | None = None
    variance: Sequence[float] | None = None
    anchor: Anchor = "fkp"
    recentre: bool = True
    pixel_noise: float = 0.0
    isotropic: bool = False

    def __post_init__(self) -> None:
        low, high = self.variances
        if not 0 < low <= high:
            raise UserError(
                f"variance range [{low}, {high}] is not a range of positive numbers",
                where="degradation.kernels.variance",
                fix="give [low, high] in HR pixels squared, low > 0",
            )
        if self.kernel_size % 2 == 0 or self.kernel_size <= max(2, self.scale):
            raise UserError(
                f"a kernel size of {self.kernel_size} does not suit x{self.scale}",
                where="degradation.kernels.size",
                fix=f"use an odd size, such as the default, {default_kernel_size(self.scale)}",
            )

    @property
    def kernel_size(self) -> int:
        """Side of the window."""
        return self.size or default_kernel_size(self.scale)

    @property
    def variances(self) -> tuple[float, float]:
        """Range of the variances in force."""
        low, high = self.variance or variance_range(self.scale)
        return low, high

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n kernels; l1, l2 and theta are independent and uniform, theta in [0, pi)."""
        low, high = self.variances
        draws = torch.rand(n, 3, generator=generator, dtype=torch.float64)
        variance = low + (high - low) * draws[:, :2]
        if self.isotropic:
            variance = variance[:, :1].expand(-1, 2)
        gain = None
        if self.pixel_noise:
            uniform = torch.rand(
                n, self.kernel_size, self.kernel_size, generator=generator, dtype=torch.float64
            )
            gain = 1 + self.pixel_noise * (2 * uniform - 1)
        return self._build(variance, math.pi * draws[:, 2], gain)

    def validation_set(self) -> Float[Tensor, "n 1 k k"]:
        """FKP's validation kernels: variances in steps of 0.3 to the maximum + 0.3, angles in steps of 0.2.

        4,624 / 10,000 / 17,424 kernels for x2 / x3 / x4. The last node lies above the training maximum.
        """
        low, high = self.variances
        values = torch.from_numpy(np.arange(low, high + 0.3, 0.3))  # its rounding gives x4 the 33rd node
        angles = 0.2 * torch.arange(math.ceil(math.pi / 0.2), dtype=torch.float64)
        grid = torch.cartesian_prod(values, values, angles)
        return self._build(grid[:, :2], grid[:, 2], None)

    def normalization(self) -> float:
        """FKP's c: the maximum of the sharpest kernel, to 5 digits, plus 0.01 (0.2335 / 0.31311 / 0.16908).

        More where a range of the user's own holds kernels that this would cut off.
        """
        low, high = self.variances
        # the sharpest first, then lines of its width along an axis and a diagonal, which may peak higher
        along = torch.linspace(low, high, 100, dtype=torch.float64).repeat(2)
        variance = torch.stack([torch.full_like(along, low), along], dim=1)
        peaks = self._build(variance, (torch.arange(200) // 100) * (math.pi / 4), None).amax((1, 2, 3))
        published, needed = round(peaks[0].item(), 5) + 0.01, peaks.max().item() * _HEADROOM
        return published if published > needed else round(needed, 5)

    def facts(self) -> dict[str, Any]:
        """What a checkpoint of a flow that learned these remembers."""
        return {"scale": self.scale}

    def _build(self, variance: Tensor, theta: Tensor, gain: Tensor | None) -> Tensor:
        return gaussian_kernels(
            variance,
            theta,
            scale=self.scale,
            size=self.kernel_size,
            anchor=self.anchor,
            recentre=self.recentre,
            gain=gain,
        )
