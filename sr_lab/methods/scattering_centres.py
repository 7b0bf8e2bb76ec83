"""Target SR by scattering centres: the few points that explain the band are drawn with s times the band."""

import time
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.band import Pair, hamming, occupied_band
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels, as_complex
from sr_lab.methods.base import Method

OVERSAMPLING = 8  # places a pixel that a centre may have


class Centres(NamedTuple):
    """Points of an image.

    Args:
        place: row and column, pixels.
        value: complex amplitudes of a spectrum that they fill evenly.
    """

    place: Float[Tensor, "n 2"]
    value: Complex[Tensor, " n"]


class ScatteringCentres(Method):
    """Orthogonal matching pursuit in LR's band, and a synthesis over s times the band; for chips of 32 to 128 px.

    Inside the band the result is what was measured, outside it what the centres say there. That recovers isolated
    point targets. On extended targets, as cars and buildings, it looks sharp and is wrong: `out_of_band_error` above 1
    says so.

    Args:
        atoms: most centres of an image.
        residual: share of the band's energy that may stay unexplained; the search stops there.
        occupied: width of LR's band in azimuth and range, cycles per pixel; None: measured on each LR image.
        taper: generalised Hamming weights of LR's band in azimuth and range, which are divided out; None: flat.

    Source: the steps that Lee and Lee 2023 (Sensors 23(13) 5893) name in their abstract, reconstructed: theirs sharpens
    a measured response, ours is that of a flat band; their motion compensation is not here.
    """

    def __init__(
        self,
        atoms: int = 20,
        residual: float = 0.02,
        occupied: list[float | int] | None = None,
        taper: list[float | int] | None = None,
    ) -> None:
        super().__init__()
        for name, pair in (("occupied", occupied), ("taper", taper)):
            if pair is not None and (len(pair) != 2 or not all(0 < one <= 1 for one in pair)):
                raise UserError(
                    f"{pair} is none", where=f"method.{name}", fix="give [azimuth, range], each in (0, 1]"
                )
        if atoms < 1 or not 0 <= residual < 1:
            raise UserError(
                f"{atoms} atoms and a residual of {residual}",
                where="method",
                fix="at least one atom, and a residual in [0, 1)",
            )
        self.atoms, self.residual, self.occupied, self.taper = atoms, residual, occupied, taper

    def restore(self, sample: Sample) -> Restored:
        """Find the centres of each image and draw them.

        Raises:
            UserError: LR is detected.
        """
        started = time.perf_counter()
        restored = torch.stack([self._one(image, sample.scale) for image in as_complex(sample.lr)])
        return Restored(as_channels(restored), seconds=time.perf_counter() - started)

    def _one(self, image: Complex[Tensor, "h w"], scale: int) -> Complex[Tensor, "hs ws"]:
        azimuth, range_ = self.occupied or occupied_band(image).width
        width = (float(azimuth), float(range_))
        spectrum = torch.fft.fft2(image.to(torch.complex128))
        rows, columns = (_in_band(n, one) for n, one in zip(image.shape, width, strict=True))
        inside = spectrum[rows][:, columns]
        if self.taper is not None:
            weights = [
                hamming(k / (n * one), alpha)
                for k, n, one, alpha in zip((rows, columns), image.shape, width, self.taper, strict=True)
            ]
            inside = inside / (weights[0][:, None] * weights[1])
        centres = pursued(inside, rows, columns, _shape(image), self.atoms, self.residual)
        return _drawn(spectrum, centres, (rows, columns), width, scale).to(image.dtype)


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
        along, across = (
            _waves(places[:, axis], k, n) for axis, k, n in zip((0, 1), (rows, columns), shape, strict=True)
        )
        gram = (along.conj() @ along.mT) * (across.conj() @ across.mT)
        matched = torch.einsum("na,ar,nr->n", along.conj(), band, across.conj())
        value = torch.linalg.lstsq(gram, matched[:, None], driver="gelsd").solution[:, 0]
        left = band - torch.einsum("n,na,nr->ar", value, along, across)
    return Centres(places, value)


def _drawn(
    spectrum: Complex[Tensor, "h w"],
    centres: Centres,
    measured: tuple[Tensor, Tensor],
    width: Pair,
    scale: int,
) -> Complex[Tensor, "hs ws"]:
    """The centres over s times the band, what was measured inside it, on a grid s times as fine."""
    shape = _shape(spectrum)
    size = (scale * shape[0], scale * shape[1])
    rows, columns = (_in_band(n, one) for n, one in zip(size, width, strict=True))
    along, across = (
        _waves(centres.place[:, axis], k, n)
        for axis, k, n in zip((0, 1), (rows, columns), shape, strict=True)
    )
    wide = spectrum.new_zeros(size)
    wide[rows[:, None] % size[0], columns % size[1]] = torch.einsum(
        "n,na,nr->ar", centres.value, along, across
    )
    k, m = measured
    wide[k[:, None] % size[0], m % size[1]] = spectrum[k[:, None], m]
    # outer edges aligned, as in `pad_band`
    ahead = torch.tensor([(scale - 1) / 2], dtype=torch.float64)
    shift = [_waves(ahead, torch.fft.fftfreq(n, 1 / n, dtype=torch.float64), n)[0] for n in size]
    return scale**2 * torch.fft.ifft2(wide * shift[0][:, None] * shift[1])


def _in_band(length: int, width: float) -> Tensor:
    """Frequencies of a band about zero, cycles per image, without the one that stands for both signs."""
    k = torch.fft.fftfreq(length, 1 / length).round().long()
    return k[(k.abs() < width * length / 2) & (2 * k.abs() < length)]


def _waves(place: Float[Tensor, " n"], k: Tensor, length: int) -> Complex[Tensor, "n a"]:
    """Spectra of unit points along one axis."""
    return torch.exp(-2j * torch.pi * place[:, None] * k.double() / length)


def _shape(image: Tensor) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
