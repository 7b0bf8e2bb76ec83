"""Sensor card: band, window and noise floor of an SLC, measured on its own spectrum."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex
from torch import Tensor

from sr_lab.degradation.band import Band, Pair, hamming, occupied_band, shifted_band

FLAT_WIDTH = 0.886  # -3 dB width of a flat band's response, over the inverse of the band
_GAP = 0.03  # of the spectrum: what must be empty to tell the noise by
_ZEROED = -50.0  # dB; below it the processor has filled the gap with zeros
_GUARD = 0.8  # of the gap that is looked at: its edges hold the skirts of the band


@dataclass(frozen=True)
class SensorCard:
    """What an SLC's spectrum tells of its sensor; azimuth before range.

    Args:
        band: occupied.
        alpha: of the generalised Hamming weights whose square fits the spectrum best; 1 is flat. The taper of the
            antenna counts as weights.
        noise_db: power that lies outside the band, as if it filled the whole spectrum, over the image's, dB; None
            where the band leaves no gap, or zeros in it. Clutter that is aliased there counts as noise.
        spacing: of pixels in azimuth and range, metres, where the file tells it.
    """

    band: Band
    alpha: Pair
    noise_db: float | None
    spacing: Pair | None = None

    @classmethod
    def of(cls, image: Complex[Tensor, "h w"], spacing: Pair | None = None) -> "SensorCard":
        """Measure it on any scene; the spacing is no property of a spectrum, and has to be told."""
        band = occupied_band(image)
        centred = shifted_band(image, (-band.centre[0], -band.centre[1]))
        spectra = [_periodogram(centred, axis) for axis in (0, 1)]
        alpha = [_alpha(*spectrum, width) for spectrum, width in zip(spectra, band.width, strict=True)]
        floors = [
            float(power[frequency.abs() > 0.5 - _GUARD * (1 - width) / 2].mean() / power.mean())
            for (frequency, power), width in zip(spectra, band.width, strict=True)
            if 1 - width > _GAP
        ]
        noise = 10 * math.log10(min(floors)) if floors and min(floors) > 0 else -math.inf
        return cls(band, (alpha[0], alpha[1]), noise if noise > _ZEROED else None, spacing)

    def __str__(self) -> str:
        """One line, azimuth x range."""

        def both(values: Pair) -> str:
            return f"{values[0]:.2f} x {values[1]:.2f}"

        noise = "unknown" if self.noise_db is None else f"{self.noise_db:.0f} dB"
        metres = ""
        if self.spacing is not None:
            sharp = (
                FLAT_WIDTH * self.spacing[0] / self.band.width[0],
                FLAT_WIDTH * self.spacing[1] / self.band.width[1],
            )
            metres = f"pixels of {both(self.spacing)} m, resolution of a flat band {both(sharp)} m, "
        return (
            f"{metres}band {both(self.band.width)} of the sampling about {both(self.band.centre)} (azimuth x range), "
            f"Hamming {both(self.alpha)}, noise floor {noise}"
        )


def _periodogram(image: Complex[Tensor, "h w"], axis: int) -> tuple[Tensor, Tensor]:
    # a scene does not wrap around: without a window its edges would fill the gap
    window = torch.hann_window(image.shape[axis], dtype=torch.float64)
    seen = image * (window[:, None] if axis == 0 else window)
    power = torch.fft.fft(seen, dim=axis).abs().square().mean(1 - axis)
    return torch.fft.fftfreq(image.shape[axis], dtype=torch.float64), power


def _alpha(frequency: Tensor, power: Tensor, width: float) -> float:
    """The best of 51 weights between 0.5 and 1, by the squared error after the best gain."""
    inside = frequency.abs() < width / 2
    position, found = frequency[inside] / width, power[inside]
    candidates = torch.linspace(0.5, 1, 51, dtype=torch.float64)
    shapes = torch.stack([hamming(position, float(one)).square() for one in candidates])
    gain = (shapes @ found) / shapes.square().sum(1)
    return float(candidates[(gain[:, None] * shapes - found).square().sum(1).argmin()])
