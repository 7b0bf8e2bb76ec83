"""A sensor's impulse response, measured on the image of a corner reflector, axis by axis."""

from dataclasses import dataclass

import torch
from jaxtyping import Complex
from torch import Tensor

from sr_lab.degradation.band import Pair
from sr_lab.methods.linear_prediction import extended

WEAK = 0.1  # of the greatest |H|; below it nothing is divided by it


@dataclass(frozen=True, eq=False)
class ImpulseResponse:
    """Spectrum H of the response along azimuth and along range, its peak at zero, mean 1.

    Args:
        axes: samples of azimuth and of range, evenly spaced over the band from its lower to its upper end.
        width: of the band in azimuth and range, cycles per pixel.
    """

    axes: tuple[Complex[Tensor, " a"], Complex[Tensor, " r"]]
    width: Pair

    @classmethod
    def of(cls, band: Complex[Tensor, "a r"], width: Pair) -> "ImpulseResponse":
        """The separable spectrum nearest to that of a chip with one reflector: its first pair of singular vectors.

        Args:
            band: spectrum inside the band, from the lowest frequency to the highest.
            width: of the band, cycles per pixel.
        """
        left, _, right = torch.linalg.svd(band.to(torch.complex128), full_matrices=False)
        return cls((_at_zero(left[:, 0]), _at_zero(right[0])), width)

    def at(self, axis: int, count: int) -> Complex[Tensor, " n"]:
        """H at `count` frequencies evenly over the band, ends included.

        Args:
            axis: 0 is azimuth, 1 is range.
            count: of the samples, at least 2.
        """
        known = self.axes[axis]
        place = torch.linspace(0, len(known) - 1, count, dtype=torch.float64)
        below = place.long().clamp_max(len(known) - 2)
        return torch.lerp(known[below], known[below + 1], (place - below).to(known))

    def sharpened(self, axis: int, count: int, wide: int) -> Complex[Tensor, " m"]:
        """H carried on by linear prediction over a wider band.

        Args:
            axis: 0 is azimuth, 1 is range.
            count: of the samples inside the band.
            wide: of all samples, of the same parity.
        """
        return extended(self.at(axis, count), (wide - count) // 2)


def divided(band: Complex[Tensor, "a r"], weights: Complex[Tensor, "a r"]) -> Complex[Tensor, "a r"]:
    """A band without its weights, and nothing where they are weak."""
    strong = weights.abs() > WEAK * weights.abs().max()
    return torch.where(strong, band / torch.where(strong, weights, 1.0), 0.0)


def _at_zero(samples: Complex[Tensor, " n"]) -> Complex[Tensor, " n"]:
    """Samples without the slope of their phase, which is where the reflector lies."""
    k = torch.arange(len(samples), dtype=torch.float64)
    slope = torch.angle((samples[:-1].conj() * samples[1:]).sum())
    even = samples * torch.exp(-1j * slope * k)
    total = even.sum()
    return even * len(samples) / total
