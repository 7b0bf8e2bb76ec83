"""Orthogonal matching pursuit in a band: the few points that explain its samples."""

from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

OVERSAMPLING = 8  # places a pixel that a centre may have


class Centres(NamedTuple):
    """Points of an image.

    Args:
        place: row and column, pixels.
        value: complex amplitudes of a spectrum that they fill evenly.
    """

    place: Float[Tensor, "n 2"]
    value: Complex[Tensor, " n"]


def pursued(
    band: Complex[Tensor, "a r"],
    rows: Tensor,
    columns: Tensor,
    shape: tuple[int, int],
    atoms: int,
    residual: float,
) -> Centres:
    """Orthogonal matching pursuit: the place that explains most is added, and all values are fitted anew.

    Args:
        band: samples of the spectrum, even for one point.
        rows: their frequencies in azimuth, cycles per image.
        columns: in range.
        shape: rows and columns of the image.
        atoms: most centres.
        residual: share of the energy that may stay.
    """
    fine = (OVERSAMPLING * shape[0], OVERSAMPLING * shape[1])
    left, places, value = band, torch.zeros(0, 2, dtype=torch.float64), torch.zeros(0, dtype=band.dtype)
    energy = float(band.abs().square().sum())
    for _ in range(atoms):
        if float(left.abs().square().sum()) <= residual * energy:
            break
        padded = band.new_zeros(fine)
        padded[rows[:, None] % fine[0], columns % fine[1]] = left
        found = divmod(int(torch.fft.ifft2(padded).abs().argmax()), fine[1])
        places = torch.cat([places, torch.tensor([found], dtype=torch.float64) / OVERSAMPLING])
        along, across = waves(places[:, 0], rows, shape[0]), waves(places[:, 1], columns, shape[1])
        gram = (along.conj() @ along.mT) * (across.conj() @ across.mT)
        matched = torch.einsum("na,ar,nr->n", along.conj(), band, across.conj())
        value = torch.linalg.lstsq(gram, matched[:, None], driver="gelsd").solution[:, 0]
        left = band - torch.einsum("n,na,nr->ar", value, along, across)
    return Centres(places, value)


def in_band(length: int, width: float | int) -> Tensor:
    """Frequencies of a band about zero, cycles per image, lowest first.

    The one that stands for both signs is left out.

    Args:
        length: of the image, pixels.
        width: of the band, cycles per pixel.
    """
    k = torch.arange(-(length // 2), length // 2 + 1)
    return k[(k.abs() < width * length / 2) & (2 * k.abs() < length)]


def waves(place: Float[Tensor, " n"], k: Tensor, length: int) -> Complex[Tensor, "n a"]:
    """Spectra of unit points along one axis.

    Args:
        place: of the points, pixels.
        k: frequencies, cycles per image.
        length: of the image, pixels.
    """
    return torch.exp(-2j * torch.pi * place[:, None] * k.double() / length)
