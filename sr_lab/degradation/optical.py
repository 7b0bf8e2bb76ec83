"""Blur of a thermal camera from its optics: diffraction, detector, defocus and jitter, by their transfer functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.anchor import Anchor, anchor_centre
from sr_lab.errors import UserError

LARGEST = 127  # window side; a kernel is made on twice the window or more, and then cut out
Range = Sequence[float | int]
_HEADROOM = 1.01  # over the greatest kernel value: room for the dequantisation


def optical_kernels(
    wavelength: Float[Tensor, " n"],
    f_number: Float[Tensor, " n"],
    defocus: Float[Tensor, " n"],
    jitter: Float[Tensor, " n"],
    *,
    pitch: float | Float[Tensor, " n"],
    scale: int,
    size: int,
    anchor: Anchor = "block_center",
    detector: bool = True,
) -> Float[Tensor, "n 1 k k"]:
    """Kernels of an incoherent camera with a round aperture and square pixels; they sum to 1 in their window.

    The transfer function is diffraction (2/pi)(acos q - q sqrt(1 - q^2)) with q = f wavelength N, times sinc(f pitch)
    of the LR detector along either axis, times 2 J1(pi c f) / (pi c f) of a defocus disc c = |defocus| / N, times
    exp(-2 pi^2 jitter^2 f^2).

    Args:
        wavelength: um.
        f_number: N.
        defocus: um along the axis, of either sign.
        jitter: standard deviation, um in the image plane.
        pitch: of the LR pixels, um; an HR pixel is pitch / s.
        scale: s.
        size: odd window side k.
        anchor: where the centre lies; see `anchor_centre`.
        detector: False leaves the detector out.

    Source: standard optics (Goodman, Introduction to Fourier Optics), as in the scene's notes on thermal cameras.
    """
    canvas = 128 if size < 64 else 256
    in_pixels = scale / torch.as_tensor(pitch, dtype=torch.float64).view(-1, 1, 1)  # HR pixels a um
    along = torch.fft.rfftfreq(canvas, dtype=torch.float64)  # cycles per HR pixel, of a quarter of the plane
    radius = torch.hypot(along[:, None], along)

    def each(value: Tensor) -> Tensor:
        return value.double().view(-1, 1, 1)

    q = (radius * each(wavelength) * each(f_number) * in_pixels).clamp(max=1)
    transfer = (2 / math.pi) * (torch.acos(q) - q * torch.sqrt(1 - q**2))
    x = math.pi * radius * (each(defocus).abs() / each(f_number) * in_pixels)
    transfer = transfer * torch.where(x > 1e-9, 2 * torch.special.bessel_j1(x) / x.clamp_min(1e-9), 1.0)
    transfer = transfer * torch.exp(-2 * (math.pi * radius * each(jitter) * in_pixels) ** 2)
    if detector:
        box = torch.sinc(along * scale)
        transfer = transfer * box[:, None] * box
    rows = torch.fft.fftfreq(canvas, dtype=torch.float64)
    whole = transfer[:, (rows.abs() * canvas).round().long()]  # the other quarter mirrors it
    first = canvas // 2 - size // 2
    shift = -2j * math.pi * (first + anchor_centre(size, scale, anchor))
    made = torch.fft.irfft2(
        whole * torch.exp(shift * rows)[:, None] * torch.exp(shift * along), s=(canvas, canvas)
    )
    window = made[:, first : first + size, first : first + size].clamp_min(0)
    return (window / window.sum((1, 2), keepdim=True))[:, None].float()


@dataclass(frozen=True)
class OpticalKernels:
    """Sampler of the blurs of thermal cameras; every quantity is drawn from its range.

    Args:
        scale: decimation s.
        size: odd window side; None: min(8s - 1, 41), since an Airy pattern has wide rings.
        wavelength: [low, high], um; long-wave infrared.
        f_number: [low, high].
        pitch: [low, high] of the LR pixels, um.
        defocus: [low, high], um along the axis; thermal lenses lose focus by about 3 um a kelvin.
        jitter: [low, high], LR pixels.
        anchor: see `anchor_centre`.

    Raises:
        UserError: a range or window that does not fit.
    """

    scale: int
    size: int | None = None
    wavelength: Range = (9.0, 11.0)
    f_number: Range = (1.0, 1.4)
    pitch: Range = (12.0, 17.0)
    defocus: Range = (0.0, 40.0)
    jitter: Range = (0.0, 0.3)
    anchor: Anchor = "block_center"

    def __post_init__(self) -> None:
        for name, least in (
            ("wavelength", 1e-3),
            ("f_number", 0.1),
            ("pitch", 1e-3),
            ("defocus", 0),
            ("jitter", 0),
        ):
            ends = getattr(self, name)
            if len(ends) != 2 or not least <= ends[0] <= ends[1]:
                raise UserError(
                    f"{name} {list(ends)} is not a range from {least:g} on",
                    where=f"degradation.kernels.{name}",
                    fix="give [low, high]",
                )
        if self.kernel_size % 2 == 0 or not self.scale < self.kernel_size <= LARGEST:
            raise UserError(
                f"a kernel size of {self.kernel_size} does not suit x{self.scale}",
                where="degradation.kernels.size",
                fix=f"use an odd size of at most {LARGEST}",
            )

    @property
    def kernel_size(self) -> int:
        """Side of the window."""
        return self.size or min(8 * self.scale - 1, 41)

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n cameras and give their kernels."""
        return self._kernels(torch.rand(n, 5, generator=generator, dtype=torch.float64))

    def validation_set(self) -> Float[Tensor, "n 1 k k"]:
        """1024 cameras, the same at every call."""
        return self.sample(1024, torch.Generator().manual_seed(0))

    def normalization(self) -> float:
        """A little above the peak of the sharpest camera's kernel."""
        sharpest = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
        return round(_HEADROOM * self._kernels(sharpest).max().item(), 5)

    def facts(self) -> dict[str, Any]:
        """What a checkpoint of a flow that learned these remembers."""
        return {"scale": self.scale}

    def _kernels(self, at: Float[Tensor, "n 5"]) -> Float[Tensor, "n 1 k k"]:
        """Those of cameras by their place, 0 to 1, in every range."""
        ranges = (self.wavelength, self.f_number, self.pitch, self.defocus, self.jitter)
        drawn = [low + (high - low) * place for (low, high), place in zip(ranges, at.T, strict=True)]
        wavelength, f_number, pitch, defocus, jitter = drawn
        return optical_kernels(
            wavelength,
            f_number,
            defocus,
            jitter * pitch,
            pitch=pitch,
            scale=self.scale,
            size=self.kernel_size,
            anchor=self.anchor,
        )
