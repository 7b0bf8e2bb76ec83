"""The spectrum of a complex image: where its band lies, cut to a coarser grid, padded to a finer one.

Grids of different spacing share their outer edges, as under MATLAB's bicubic: pixel i of a grid s times as coarse lies
at s i + (s-1)/2 of the fine one, so one anchor (`block_center`) serves all operators. The image wraps around.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

THRESHOLD = 0.1  # of the smoothed periodogram's greatest value: what is above is occupied
SMOOTHING = 0.01  # of the spectrum, at least three samples
FULL = 0.97  # width from which a band leaves no gap to tell its centre by

Pair = tuple[float, float]  # azimuth (rows), range (columns)


class Band(NamedTuple):
    """The occupied band of an image, azimuth before range, in cycles per pixel.

    Args:
        centre: of the band, in [-1/2, 1/2); 0 once the image is centred.
        width: 1 is the whole spectrum: sampled critically; below it oversampled.
    """

    centre: Pair
    width: Pair


def occupied_band(image: Complex[Tensor, "h w"]) -> Band:
    """Measure the band: where the smoothed mean periodogram exceeds a tenth of its greatest value.

    The centre is the circular mean of the places that are occupied, not of the power, which a taper, or a band that
    leaves only a narrow gap, would move. Ends that Hamming weights below 0.66 have put under the threshold are missed.
    """
    axes = [_occupied(image, axis) for axis in (0, 1)]
    return Band((axes[0][0], axes[1][0]), (axes[0][1], axes[1][1]))


def _occupied(image: Complex[Tensor, "h w"], axis: int) -> Pair:
    length = image.shape[axis]
    power = torch.fft.fft(image.to(torch.complex128), dim=axis).abs().square().mean(1 - axis)
    reach = max(1, round(SMOOTHING * length / 2))
    steps = range(-reach, reach + 1)
    smooth = torch.stack([power.roll(step) for step in steps]).mean(0)
    occupied = smooth > THRESHOLD * smooth.max()
    turns = torch.exp(2j * math.pi * torch.arange(length) / length)
    width = float(occupied.double().mean())
    centre = 0.0 if width > FULL else float(torch.angle((occupied * turns).sum())) / (2 * math.pi)
    return centre, width


def chip_band(image: Complex[Tensor, "h w"]) -> Band:
    """The band of a small image to whole samples of its spectrum: its centre on one, its width their number.

    As `occupied_band`, without the sample at either end that smoothing has put there.
    """
    band = occupied_band(image)
    azimuth, range_ = (round(one * n) / n for one, n in zip(band.centre, image.shape, strict=True))
    rows, columns = (
        one - 2 / n if one < FULL else one for one, n in zip(band.width, image.shape, strict=True)
    )
    return Band((azimuth, range_), (rows, columns))


def in_band(length: int, width: float | int) -> Tensor:
    """Frequencies of a band about zero, cycles per image, lowest first.

    The one that stands for both signs is left out.

    Args:
        length: of the image, pixels.
        width: of the band, cycles per pixel.
    """
    k = torch.arange(-(length // 2), length // 2 + 1)
    return k[(k.abs() < width * length / 2) & (2 * k.abs() < length)]


def shifted_band(
    image: Complex[Tensor, "*b h w"], by: Pair, spacing: float = 1.0
) -> Complex[Tensor, "*b h w"]:
    """Move the spectrum by so many cycles per pixel, azimuth and range; the intensity stays as it is.

    Args:
        image: any.
        by: minus the centre of a band brings it to zero; the centre itself brings it back.
        spacing: of the pixels, in those that `by` counts by; 1/s on a grid s times as fine.
    """
    for axis, cycles in zip((-2, -1), by, strict=True):
        length = image.shape[axis]
        # the first pixel's centre, from that of the coarse grid's first
        place = (torch.arange(length, dtype=torch.float64) + 0.5) * spacing - 0.5
        phase = torch.exp(2j * math.pi * cycles * place).to(image)
        image = image * (phase[:, None] if axis == -2 else phase)
    return image


def hamming(position: Float[Tensor, " n"], alpha: float) -> Float[Tensor, " n"]:
    """Generalised Hamming weights alpha + (1 - alpha) cos(2 pi x) at x in [-1/2, 1/2] of the band; 1 is flat."""
    return alpha + (1 - alpha) * torch.cos(2 * math.pi * position)


def cut_band(
    image: Complex[Tensor, "*b h w"],
    size: tuple[int, int],
    width: Pair,
    *,
    centre: Pair = (0.0, 0.0),
    alpha: float = 1.0,
) -> Complex[Tensor, "*b h2 w2"]:
    """Keep a band of the spectrum, move it to zero, and sample it on a coarser grid.

    Args:
        image: with the grid of the frequencies below.
        size: rows and columns of the result, no more than those of the image.
        width: of the band kept, cycles per pixel; the two ends are left out alike, so that the response is real.
        centre: of the band kept, cycles per pixel, to the nearest sample of the spectrum.
        alpha: of the Hamming weights over the band.

    Returns:
        the image seen through that band: a constant keeps its value.
    """
    for axis, length, part, middle in zip((-2, -1), size, width, centre, strict=True):
        fine = image.shape[axis]
        k = torch.fft.fftfreq(length, 1 / length, dtype=torch.float64).round()
        position = k / (part * fine)
        kept = (position.abs() < 0.5) & (2 * k.abs() < length)
        ahead = (fine / length - 1) / 2
        weight = kept * hamming(position, alpha) * torch.exp(2j * math.pi * k * ahead / fine) * length / fine
        index = (k.long() + round(middle * fine)) % fine
        spectrum = torch.fft.fft(image, dim=axis).index_select(axis, index.to(image.device))
        weight = weight.to(spectrum)
        spectrum = spectrum * (weight[:, None] if axis == -2 else weight)
        image = torch.fft.ifft(spectrum, dim=axis)
    return image


def pad_band(image: Complex[Tensor, "*b h w"], size: tuple[int, int]) -> Complex[Tensor, "*b h2 w2"]:
    """Interpolate by zeros around the spectrum (the sinc): nothing is added to what the image knows.

    Args:
        image: its band about zero.
        size: rows and columns of the result, no fewer than those of the image.
    """
    for axis, length in zip((-2, -1), size, strict=True):
        coarse = image.shape[axis]
        k = torch.fft.fftfreq(coarse, 1 / coarse, dtype=torch.float64).round()
        ahead = (length / coarse - 1) / 2
        weight = (torch.exp(-2j * math.pi * k * ahead / length) * length / coarse).to(image)
        spectrum = torch.fft.fft(image, dim=axis) * (weight[:, None] if axis == -2 else weight)
        shape = list(image.shape)
        shape[axis] = length
        padded = spectrum.new_zeros(shape)
        padded.index_copy_(axis, (k.long() % length).to(image.device), spectrum)
        image = torch.fft.ifft(padded, dim=axis)
    return image


def moved(image: Complex[Tensor, "*b h w"], by: float | int, axis: int) -> Complex[Tensor, "*b h w"]:
    """The image moved by a fraction of a pixel along one axis, by its spectrum: at x lies what was at x + by."""
    frequency = torch.fft.fftfreq(image.shape[axis], dtype=torch.float64)
    phase = torch.exp(2j * math.pi * frequency * by).to(image)
    return torch.fft.ifft(
        torch.fft.fft(image, dim=axis) * (phase[:, None] if axis == -2 else phase), dim=axis
    )
