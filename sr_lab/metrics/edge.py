"""Sharpness from a slanted edge: the modulation transfer function of whatever made the image."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Shaped

from sr_lab.errors import UserError

_BINS = 4  # a pixel of the edge profile
_REACH = 16  # pixels of the profile on either side
_STEEPEST, _FLATTEST = 20.0, 0.5  # degrees off the pixel grid between which the rows sample an edge evenly
_UNCLEAR = 1.0  # pixels by which rows may miss the line


@dataclass(frozen=True)
class Edge:
    """What a slanted edge tells.

    Args:
        mtf50: frequency at which half the contrast is left, cycles / pixel.
        angle: of the edge off its nearest pixel axis, degrees.
        frequencies: cycles / pixel, 0 to 1.
        mtf: contrast that is left at them, 1 at 0.
    """

    mtf50: float
    angle: float
    frequencies: Float64[np.ndarray, " n"]
    mtf: Float64[np.ndarray, " n"]


def slanted_edge(image: Shaped[np.ndarray, "h w"]) -> Edge:
    """Measure an image that holds one straight edge, nearly upright or nearly level.

    Each row finds its edge by the centre of its differences, a line is fitted, all pixels are put in bins of a quarter
    pixel by their distance from it, and the profile is differenced, windowed and transformed. The filter of the
    difference and of the bins is divided out.

    Args:
        image: any range; 20 rows or more.

    Raises:
        UserError: no edge, or one that is not slanted by 0.5 to 20 degrees.

    Source: the method of ISO 12233:2017, annex on slanted edges.
    """
    pixels = np.asarray(image, np.float64)
    if np.abs(np.diff(pixels, axis=0)).sum() > np.abs(np.diff(pixels, axis=1)).sum():
        pixels = pixels.T
    height, width = pixels.shape
    rows, columns = np.arange(height), np.arange(width)
    slope, start = _line(pixels)
    angle = float(np.degrees(np.arctan(abs(slope))))
    if not _FLATTEST <= angle <= _STEEPEST:
        raise UserError(
            f"the edge is {angle:.1f} degrees off the pixel grid",
            where="slanted edge",
            fix=f"use one that is {_FLATTEST:g} to {_STEEPEST:g} degrees off",
        )
    distance = (columns - (start + slope * rows[:, None])) * np.cos(np.arctan(slope))
    index = np.floor((distance + _REACH) * _BINS).astype(int).ravel()
    inside = (index >= 0) & (index < 2 * _REACH * _BINS)
    count = np.bincount(index[inside], minlength=2 * _REACH * _BINS)
    total = np.bincount(index[inside], pixels.ravel()[inside], 2 * _REACH * _BINS)
    if (count == 0).any():
        raise _no_edge(f"it is less than {_REACH} px from the side of the image, or in too few rows")
    spread = np.diff(total / count)
    spread *= np.hamming(2 * len(spread) + 1)[_peak_window(spread)]
    transform = np.abs(np.fft.rfft(spread, 8 * len(spread)))
    frequencies = np.fft.rfftfreq(8 * len(spread), 1 / _BINS)
    kept = frequencies <= 1
    frequencies = frequencies[kept]
    filtered = np.sinc(frequencies / _BINS) ** 2  # the difference, and the mean over a bin
    mtf = transform[kept] / transform[0] / filtered
    below = np.flatnonzero(mtf < 0.5)
    if not len(below):
        raise _no_edge("its contrast never falls to a half")
    last = below[0]
    half = np.interp(0.5, mtf[[last, last - 1]], frequencies[[last, last - 1]])
    return Edge(float(half), angle, frequencies, mtf)


def _line(pixels: Float[np.ndarray, "h w"]) -> tuple[float, float]:
    """Slope and start of the edge: column = start + slope row; each row's centre is sought again near the line."""
    rows = np.arange(pixels.shape[0])
    change = np.abs(np.diff(pixels, axis=1))
    middle = np.arange(change.shape[1]) + 0.5
    if change.max() == 0 or pixels.shape[0] < 20:
        raise _no_edge("the image is flat, or has less than 20 rows")
    expected = np.full(pixels.shape[0], middle[change.sum(0).argmax()])
    slope, start = 0.0, expected[0]
    for reach in (change.shape[1], 2 * _REACH, _REACH):
        near = change**2 * (np.abs(middle - expected[:, None]) <= reach)
        weight = near.sum(1)
        seen = weight > 0
        centre = (near * middle).sum(1)[seen] / weight[seen]
        if seen.sum() < 20:
            raise _no_edge("it is in too few rows")
        slope, start = (float(value) for value in np.polyfit(rows[seen], centre, 1))
        expected = start + slope * rows
    missed = np.median(np.abs(centre - expected[seen]))
    if missed > _UNCLEAR:
        raise _no_edge(f"half of the rows miss the line by more than {missed:.1f} px")
    return slope, start


def _peak_window(spread: Float[np.ndarray, " n"]) -> slice:
    """Where a window of twice the length has its middle on the peak of the line spread."""
    first = len(spread) - int(np.abs(spread).argmax())
    return slice(first, first + len(spread))


def _no_edge(why: str) -> UserError:
    return UserError(f"there is no straight edge: {why}", where="slanted edge", fix="cut out one edge")
