"""Levels to about [0, 1] and back: one gain and one offset an image, no gain control, nothing clipped."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64

from sr_lab.scenes.infrared.thermal import Thermal

PERCENTILES = (0.1, 99.9)
GREY_PEAK = 255.0


@dataclass(frozen=True)
class Affine:
    """level = gain x + offset; whole levels of up to 16 bits come back exactly once rounded.

    Args:
        gain: levels that 1.0 stands for, above 0.
        offset: level of 0.0.
    """

    gain: float
    offset: float

    @classmethod
    def of(cls, frame: Thermal) -> "Affine":
        """8-bit levels by 255, as all tables of them; others by two percentiles of the whole image."""
        if frame.kind == "grey":
            return cls(GREY_PEAK, 0.0)
        low, high = (float(level) for level in np.percentile(frame.levels, PERCENTILES))
        return cls(high - low if high > low else 1.0, low)

    def forward(self, levels: Float[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
        """Levels to the normalised range."""
        return ((np.asarray(levels, np.float64) - self.offset) / self.gain).astype(np.float32)

    def inverse(self, values: Float[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
        """The normalised range to levels."""
        return np.asarray(values, np.float64) * self.gain + self.offset
