"""Intensity to a fixed range of decibels and back: the same constants for every image of a sensor."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError

NATS = math.log(10) / 10  # in a decibel


@dataclass(frozen=True)
class Decibels:
    """t = (10 log10 I - low) / (high - low), with constants that no image can change.

    A range taken from each image by itself would lose its radiometry, and make a calm sea look like a town. Bright
    targets go above 1 and are not clipped; what is below `low` is.

    Args:
        low: dB that 0 stands for.
        high: dB that 1 stands for.
    """

    low: float | int
    high: float | int

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise UserError(
                f"{self.low} to {self.high} dB is not a range",
                where="decibels",
                fix="give low below high, such as -35 and 15",
            )

    def forward(self, intensity: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Intensity to the normalised range, 0 upwards."""
        decibels = 10 * torch.log10(intensity.clamp_min(10 ** (self.low / 10)))
        return (decibels - self.low) / (self.high - self.low)

    def log_intensity(self, normalised: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The normalised range to the natural logarithm of the intensity."""
        return (self.low + (self.high - self.low) * normalised) * NATS

    def of_log_intensity(self, log: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The natural logarithm of the intensity to the normalised range; the inverse of `log_intensity`."""
        return (log / NATS - self.low) / (self.high - self.low)
