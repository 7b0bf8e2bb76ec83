"""Gaussian blur whose width grows with the wavelength, as diffraction does: every band has a kernel of its own."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor

from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.blur import Boundary, check_boundary
from sr_lab.degradation.chain import Corruption, Degradation, Degraded
from sr_lab.degradation.gaussian import GaussianKernels, gaussian_kernels
from sr_lab.errors import UserError


@dataclass(frozen=True)
class GaussianSpectrum:
    """Sampler of families of kernels: covariance S ((1 - q) + q (wavelength / longest)^2).

    The part q of S is the optics', whose diffraction grows with the wavelength; the rest is the detector's and the
    motion's, the same in all bands. S is drawn as `GaussianKernels` draws it, so the longest wavelength has the kernels
    of the one-kernel benchmark and all others are sharper.

    Args:
        scale: decimation s.
        wavelengths: [first, last] in nm where a cube does not tell its own; evenly between.
        optics: [low, high] of q, 0 to 1, drawn per image.
        size, variance, anchor, recentre: as in `GaussianKernels`.
    """

    scale: int
    wavelengths: Sequence[float | int] = (400.0, 2500.0)
    optics: Sequence[float | int] = (0.5, 0.9)
    size: int | None = None
    variance: Sequence[float] | None = None
    anchor: Anchor = "fkp"
    recentre: bool = False

    def __post_init__(self) -> None:
        if len(self.optics) != 2 or not 0 <= self.optics[0] <= self.optics[1] < 1:
            raise UserError(
                f"optics {list(self.optics)} is not a range within 0 .. 1",
                where="degradation.kernels.optics",
                fix="give [low, high], such as [0.5, 0.9]; below 1, so that no band is without blur",
            )
        if len(self.wavelengths) != 2 or not 0 < self.wavelengths[0] <= self.wavelengths[1]:
            raise UserError(
                f"wavelengths {list(self.wavelengths)} are not [first, last] in nm",
                where="degradation.kernels.wavelengths",
                fix="give the sensor's range, such as [400, 2500]",
            )

    @property
    def kernel_size(self) -> int:
        """Side of the window."""
        return self._longest.kernel_size

    @property
    def _longest(self) -> GaussianKernels:
        return GaussianKernels(self.scale, self.size, self.variance, self.anchor, self.recentre)

    def draw(
        self,
        n: int,
        bands: int,
        generator: torch.Generator,
        nm: Float64[Tensor, " bands"] | None = None,
    ) -> Float[Tensor, "n bands k k"]:
        """Draw n families: q, both variances and an angle each.

        Args:
            n: families.
            bands: kernels of each.
            generator: of the draws, which do not depend on the number of bands.
            nm: wavelengths of the bands; None: evenly between `wavelengths`.
        """
        low, high = self._longest.variances
        uniform = torch.rand(n, 4, generator=generator, dtype=torch.float64)
        variance = low + (high - low) * uniform[:, None, :2]
        theta = (math.pi * uniform[:, 2, None]).expand(n, bands)
        part = self.optics[0] + (self.optics[1] - self.optics[0]) * uniform[:, 3, None, None]
        if nm is None:
            first, last = self.wavelengths
            nm = torch.linspace(first, last, bands, dtype=torch.float64) if bands > 1 else torch.ones(1)
        grown = variance * (1 - part + part * (nm[:, None] / nm.max()) ** 2)
        made = gaussian_kernels(
            grown.flatten(0, 1),
            theta.flatten(),
            scale=self.scale,
            size=self.kernel_size,
            anchor=self.anchor,
            recentre=self.recentre,
        )
        return made.view(n, bands, *made.shape[-2:])

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n families and give the kernel of the longest wavelength of each."""
        return self.draw(n, 1, generator)


class SpectralBlur(Degradation):
    """y = corrupt(every band blurred by its own kernel, decimated by s).

    The kernel of a sample is the mean over the bands, and `forward` the operator of methods that assume one kernel: the
    truth is `blur_decimate_bands` with the whole family.

    Args:
        scale: decimation s.
        kernels: sampler of families.
        corruptions, anchor, boundary, phase: as in `Degradation`.
    """

    forward_is_exact = False

    def __init__(
        self,
        scale: int,
        kernels: GaussianSpectrum,
        corruptions: Sequence[Corruption] = (),
        anchor: Anchor = "fkp",
        boundary: Boundary = "reflect",
        phase: int = 0,
    ) -> None:
        super().__init__(scale, kernels, corruptions, anchor, boundary, phase)
        self.families = kernels

    def degrade(
        self,
        hr: Float[Tensor, "b c hs ws"],
        generator: torch.Generator,
        facts: Mapping[str, Any] | None = None,
    ) -> Degraded:
        """Draw families and noise, and degrade; wavelengths that are known come before those of the sampler."""
        bands, known = hr.shape[1], (facts or {}).get("wavelengths")
        nm = None if known is None else torch.as_tensor(known, dtype=torch.float64)
        family = self.families.draw(len(hr), bands, generator, nm).to(hr.device)
        lr = blur_decimate_bands(hr, family, self.scale, boundary=self.boundary, phase=self.phase)
        return replace(self.corrupt(lr, family.mean(1, keepdim=True), generator), band_kernels=family)


def blur_decimate_bands(
    image: Float[Tensor, "b c h w"],
    kernels: Float[Tensor, "b c k k"],
    stride: int,
    *,
    boundary: Boundary = "reflect",
    phase: int = 0,
) -> Float[Tensor, "b c hs ws"]:
    """`blur_decimate` with a kernel for every band of every image.

    Args:
        image: any range.
        kernels: odd side k.
        stride: as in `blur_decimate`, and so are boundary and phase.
        boundary: see there.
        phase: see there.

    Raises:
        UserError: as in `blur_decimate`.
    """
    size = kernels.shape[-1]
    check_boundary(image, size // 2, boundary)
    padded = F.pad(image, (size // 2,) * 4, mode=boundary)[..., phase:, phase:]
    flat = padded.flatten(0, 1)[None]
    blurred = F.conv2d(flat, kernels.flatten(0, 1)[:, None], stride=stride, groups=flat.shape[1])
    return blurred[0].unflatten(0, image.shape[:2])
