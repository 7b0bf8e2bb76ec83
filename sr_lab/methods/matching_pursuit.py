"""Orthogonal matching pursuit in a band: the few points that explain its samples, wherever they lie."""

from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

OVERSAMPLING = 8  # places a pixel that a centre is looked for at
STEPS = 8  # finer places to either side of one


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
    """The place that explains most is added, all values are fitted anew, and each place is looked for anew nearby.

    Args:
        band: samples of the spectrum, even for one point.
        rows: their frequencies in azimuth, cycles per image.
        columns: in range.
        shape: rows and columns of the image.
        atoms: most centres.
        residual: share of the energy that may stay.

    Source: orthogonal matching pursuit; places in turn as in RELAX, Li and Stoica 1996, IEEE Trans. SP 44(2).
    """
    fine = (OVERSAMPLING * shape[0], OVERSAMPLING * shape[1])
    centres, left = Centres(torch.zeros(0, 2, dtype=torch.float64), torch.zeros(0, dtype=band.dtype)), band
    energy = float(band.abs().square().sum())
    for _ in range(atoms):
        if float(left.abs().square().sum()) <= residual * energy:
            break
        padded = band.new_zeros(fine)
        padded[rows[:, None] % fine[0], columns % fine[1]] = left
        found = divmod(int(torch.fft.ifft2(padded).abs().argmax()), fine[1])
        place = torch.tensor([found], dtype=torch.float64) / OVERSAMPLING
        centres, left = _fitted(torch.cat([centres.place, place]), band, rows, columns, shape)
        places = _moved(centres, left, rows, columns, shape)
        centres, left = _fitted(places, band, rows, columns, shape)
    return centres


def _fitted(
    places: Tensor, band: Tensor, rows: Tensor, columns: Tensor, shape: tuple[int, int]
) -> tuple[Centres, Tensor]:
    """The values that fit best, and what they leave."""
    along, across = waves(places[:, 0], rows, shape[0]), waves(places[:, 1], columns, shape[1])
    gram = (along.conj() @ along.mT) * (across.conj() @ across.mT)
    matched = torch.einsum("na,ar,nr->n", along.conj(), band, across.conj())
    value = torch.linalg.lstsq(gram, matched[:, None], driver="gelsd").solution[:, 0]
    return Centres(places, value), band - along.mT @ (value[:, None] * across)


def _moved(centres: Centres, left: Tensor, rows: Tensor, columns: Tensor, shape: tuple[int, int]) -> Tensor:
    """Places where each centre by itself explains most of what the others leave, within a step of the grid."""
    nearby = torch.arange(-STEPS, STEPS + 1, dtype=torch.float64) / (STEPS * OVERSAMPLING)
    places = centres.place.clone()
    for number, value in enumerate(centres.value):
        along, across = (
            waves(places[number, :1], rows, shape[0])[0],
            waves(places[number, 1:], columns, shape[1])[0],
        )
        alone = left + value * along[:, None] * across
        tried = [places[number, axis] + nearby for axis in (0, 1)]
        matched = (
            waves(tried[0], rows, shape[0]).conj() @ alone @ waves(tried[1], columns, shape[1]).conj().mT
        )
        best = divmod(int(matched.abs().argmax()), len(nearby))
        places[number] = torch.stack([tried[axis][best[axis]] for axis in (0, 1)])
        along, across = (
            waves(places[number, :1], rows, shape[0])[0],
            waves(places[number, 1:], columns, shape[1])[0],
        )
        left = alone - matched.flatten()[matched.abs().argmax()] / alone.numel() * along[:, None] * across
    return places


def waves(place: Float[Tensor, " n"], k: Tensor, length: int) -> Complex[Tensor, "n a"]:
    """Spectra of unit points along one axis.

    Args:
        place: of the points, pixels.
        k: frequencies, cycles per image.
        length: of the image, pixels.
    """
    return torch.exp(-2j * torch.pi * place[:, None] * k.double() / length)
