"""Multitaper periodogram of an image, averaged over overlapping tiles so that its cost and size are bounded."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

SIDE = 96
TAPERS = 3
MAX_TILES = 64
Stripes = Literal["columns", "rows", "both"]


@dataclass(frozen=True)
class Periodogram:
    """Power at frequencies of the half plane without the neighbourhood of zero.

    Args:
        power: |FFT|^2 averaged over tiles and tapers; white noise of variance v gives v.
        fy, fx: cycles per LR pixel.
        tiles: how many tiles would fit side by side: the number of independent averages.
    """

    power: Float[Tensor, " n"]
    fy: Float[Tensor, " n"]
    fx: Float[Tensor, " n"]
    tiles: float

    def thinned(self, step: int) -> "Periodogram":
        """Every `step`-th frequency, each of which stands for as many."""
        return Periodogram(self.power[::step], self.fy[::step], self.fx[::step], self.tiles * step)


def sine_tapers(length: int, count: int = TAPERS) -> Float[Tensor, "t n"]:
    """Orthonormal sine tapers (Riedel & Sidorenko 1995), float64."""
    place = (torch.arange(length, dtype=torch.float64) + 1) / (length + 1)
    order = torch.arange(1, count + 1, dtype=torch.float64)[:, None]
    return torch.sin(math.pi * order * place) * math.sqrt(2 / (length + 1))


def periodogram(
    luminance: Float[Tensor, "h w"], side: int = SIDE, stripes: Stripes | None = None
) -> Periodogram:
    """Measure an image of any size of at least 8 pixels a side, in float64.

    Frequencies within the resolution of the tapers about zero are left out, since the mean leaks into them.

    Args:
        luminance: the image.
        side: of the tiles.
        stripes: leave out the frequencies that columns (or rows) of their own levels fill: those along one axis.
    """
    height, width = luminance.shape
    rows, columns = min(side, height), min(side, width)
    tapers_y, tapers_x = sine_tapers(rows), sine_tapers(columns)
    corners = [(top, left) for top in starts(height, rows) for left in starts(width, columns)]
    corners = corners[:: math.ceil(len(corners) / MAX_TILES)]
    tiles = torch.stack([luminance[t : t + rows, s : s + columns] for t, s in corners]).double()
    tiles = tiles - tiles.mean((1, 2), keepdim=True)
    power = torch.zeros(rows, columns, dtype=torch.float64)
    for taper_y in tapers_y:
        for taper_x in tapers_x:
            power += torch.fft.fft2(tiles * torch.outer(taper_y, taper_x)).abs().square().mean(0).cpu()
    power /= len(tapers_y) * len(tapers_x)
    fy, fx = torch.meshgrid(
        torch.fft.fftfreq(rows, dtype=torch.float64),
        torch.fft.fftfreq(columns, dtype=torch.float64),
        indexing="ij",
    )
    half = (fx > 0) | ((fx == 0) & (fy > 0))
    reach = TAPERS / 2 + 0.6
    along_y, along_x = fx.abs() * columns <= reach, fy.abs() * rows <= reach
    keep = half & ~(along_y & along_x)
    if stripes in ("columns", "both"):
        keep &= ~along_x
    if stripes in ("rows", "both"):
        keep &= ~along_y
    area = min(height * width / (rows * columns), float(len(corners)))
    return Periodogram(power[keep], fy[keep], fx[keep], area)


def starts(length: int, tile: int) -> list[int]:
    """First pixels of tiles that overlap by half or more and reach both ends."""
    if length == tile:
        return [0]
    count = math.ceil((length - tile) / (tile / 2)) + 1
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]
