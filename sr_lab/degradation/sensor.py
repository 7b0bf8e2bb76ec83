"""What an uncooled thermal detector does to an image: column and row patterns, bad pixels, drift, noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.corruptions import Corrupted
from sr_lab.errors import UserError

Number = float | int
Range = Sequence[Number]

_NONE: Range = (0, 0)
_RANGES = ("column", "row", "pixel", "gain", "thermal")


@dataclass(frozen=True)
class Sensor:
    """y = step round(((1 + g) x + drift (o_columns + o_rows + o_pixels) + shading + n) / step), then dead pixels.

    All in units of the normalised range, in which the scene spans about 1; what is left out is none. Ranges are
    log-uniform per image. Columns, rows and shading have mean zero in each image, so that they move no mean
    temperature. Nothing is clipped.

    Args:
        column: [low, high] of the standard deviation of column offsets; measured in cameras and data sets: 0.0006 to
            0.046.
        row: of row offsets, which readout corrects better.
        pixel: of the offsets of single pixels.
        gain: of the gain g of columns, rows and pixels together, a third of the variance each.
        thermal: of the noise n of one frame: NETD / (hottest - coldest). This is the noise level that comes back; the
            rest is a pattern, which no solver knows of.
        walk: share of the column and row variance in a random walk, which looks like bands; the rest is white.
        drift: the offsets have grown by a factor 1 to 1 + drift since the last calibration.
        shading: amplitude of the warm housing's image, a smooth bowl.
        dead: share of pixels that are stuck at the coldest or hottest value of their image.
        step: of the digitiser, such as 1/255 for 8 bits.
    """

    column: Range = _NONE
    row: Range = _NONE
    pixel: Range = _NONE
    gain: Range = _NONE
    thermal: Range = _NONE
    walk: Number = 0
    drift: Number = 0
    shading: Number = 0
    dead: Number = 0
    step: Number = 0

    def __post_init__(self) -> None:
        for name in _RANGES:
            limits = getattr(self, name)
            if len(limits) != 2 or not (limits[0] == limits[1] == 0 or 0 < limits[0] <= limits[1]):
                raise _refused(
                    f"{name}: {list(limits)} is no range of positive numbers",
                    "give [low, high] with 0 < low <= high, or [0, 0] for none",
                )
        for name in ("walk", "dead"):
            if not 0 <= getattr(self, name) <= 1:
                raise _refused(f"{name} {getattr(self, name)} is no share", "use 0 to 1")
        if min(self.drift, self.shading, self.step) < 0:
            raise _refused("drift, shading and step are not negative", "use 0 for none")

    def __call__(self, image: Float[Tensor, "b c h w"], generator: torch.Generator) -> Corrupted:
        """Every image meets a camera of its own; the thermal noise's standard deviation comes back."""
        count = len(image)
        sd = {name: _log_uniform(getattr(self, name), count, generator) for name in _RANGES}
        offset = (
            sd["column"] * _pattern(image, -1, self.walk, generator)
            + sd["row"] * _pattern(image, -2, self.walk, generator)
            + sd["pixel"] * _white(image, None, generator)
        )
        grown = 1 + self.drift * torch.rand(count, 1, 1, 1, generator=generator)
        columns, rows, pixels = (_white(image, axis, generator) for axis in (-1, -2, None))
        gain = sd["gain"] / 3**0.5 * (columns + rows + pixels)
        noise = sd["thermal"] * _white(image, None, generator)
        added = grown * offset + self.shading * _bowl(image, generator) + noise
        seen = (1 + gain).to(image) * image + added.to(image)
        if self.step:
            seen = (seen / self.step).round() * self.step
        draw = torch.rand(count, 1, *image.shape[-2:], generator=generator).to(image.device)
        seen = torch.where(draw < self.dead / 2, image.amin((1, 2, 3), keepdim=True), seen)
        seen = torch.where(draw > 1 - self.dead / 2, image.amax((1, 2, 3), keepdim=True), seen)
        return seen, sd["thermal"].flatten().to(image)


def _bowl(image: Tensor, generator: torch.Generator) -> Float[Tensor, "b 1 h w"]:
    """A paraboloid of mean zero with a random sign, depth and middle."""
    y, x = (torch.linspace(-1, 1, side) for side in image.shape[-2:])
    draw = 2 * torch.rand(len(image), 3, generator=generator) - 1
    middle = 0.3 * draw[:, 1:, None, None]
    bowl = (y[:, None] - middle[:, :1]) ** 2 + (x - middle[:, 1:]) ** 2
    return draw[:, :1, None, None] * (bowl - bowl.mean((-2, -1), keepdim=True))


def _white(image: Tensor, axis: int | None, generator: torch.Generator) -> Float[Tensor, "b 1 h w"]:
    """Standard normal numbers: one a column (axis -1), a row (axis -2) or a pixel (None)."""
    height, width = image.shape[-2:]
    shape = {-1: (1, width), -2: (height, 1), None: (height, width)}[axis]
    return torch.randn(len(image), 1, *shape, generator=generator)


def _pattern(image: Tensor, axis: int, walk: Number, generator: torch.Generator) -> Float[Tensor, "b 1 h w"]:
    """Offsets along an axis of mean 0 and standard deviation 1, partly a random walk."""
    white, steps = _white(image, axis, generator), _white(image, axis, generator)
    wandering = _standardised(steps.cumsum(axis), axis)
    return (1 - walk) ** 0.5 * _standardised(white, axis) + walk**0.5 * wandering


def _standardised(offsets: Tensor, axis: int) -> Tensor:
    offsets = offsets - offsets.mean(axis, keepdim=True)
    return offsets / offsets.std(axis, keepdim=True, correction=0).clamp_min(1e-12)


def _log_uniform(limits: Range, count: int, generator: torch.Generator) -> Float[Tensor, "b 1 1 1"]:
    low, high = limits
    draw = torch.rand(count, 1, 1, 1, generator=generator)
    return torch.zeros_like(draw) if high == 0 else low * (high / low) ** draw


def _refused(what: str, fix: str) -> UserError:
    return UserError(what, where="degradation.corruptions", fix=fix)
