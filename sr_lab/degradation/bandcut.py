"""LR radar images by a cut of the complex spectrum: less bandwidth, a shorter aperture, or several sub-looks."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sr_lab.degradation.band import Pair, cut_band, hamming
from sr_lab.degradation.chain import Degraded, Unblurred
from sr_lab.degradation.factors import reduced_sides
from sr_lab.degradation.speckle import complex_noise
from sr_lab.errors import UserError
from sr_lab.io.complex import amplitude, as_channels, as_complex

Axis = Literal["azimuth", "range"]


class OfSpectrum(Unblurred):
    """What cuts the spectrum of complex images."""

    def bicubic(self, lr: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 hs ws"]:
        """Of the amplitude, as papers do: between complex pixels bicubic would lose intensity."""
        return super().bicubic(amplitude(lr)).clamp_min(0)


class Bandcut(OfSpectrum):
    """The LR image as a sensor of 1/s of the bandwidth and of the aperture would have made it.

    Of the *occupied* band the middle 1/s is kept, not of the FFT grid: HR images are oversampled, and half the grid
    of RADARSAT-1 would cost only 1.4 of its azimuth resolution. LR is oversampled as HR is. Band and taper are facts
    of the sensor and not measured on each image, so the operator is one and the same for HR and for what is restored;
    its gain is such that the mean intensity of clutter stays.

    Args:
        scale: s, of the pixels, and of the resolution where nothing else is said.
        azimuth: loss of resolution along the rows' axis; null: the grid's.
        range: loss of resolution along the columns' axis; null: the grid's.
        occupied: width of HR's band in azimuth and range, cycles per pixel, centred; null: the whole spectrum.
        taper: generalised Hamming weights of HR's band in azimuth and range, the antenna's pattern among them; null:
            flat.
        alpha: of the generalised Hamming weights put on the band kept; 1 is none, 0.75 as Sentinel-1's.
        snr_db: of complex noise that is added; null: none.
        detect: LR as amplitude, without its phase.
        grid: factors of the pixels in azimuth (rows) and range (columns), the larger of which is s; null: s of both.

    Raises:
        UserError: factors, losses, bands or weights that are none.
    """

    def __init__(
        self,
        scale: int,
        azimuth: float | int | None = None,
        range: float | int | None = None,  # the field's word
        occupied: list[float | int] | None = None,
        taper: list[float | int] | None = None,
        alpha: float | int = 1.0,
        snr_db: float | int | None = None,
        detect: bool = False,
        grid: list[int] | None = None,
    ) -> None:
        super().__init__(scale, grid)
        loss = (azimuth or self.factors[0], range or self.factors[1])
        width, weights = _of_sensor(occupied, taper)
        if min(loss) < 1 or not 0.5 <= alpha <= 1:
            raise UserError(
                f"a loss of {min(loss)} under weights of {alpha} is none",
                where="degradation",
                fix="losses are 1 or more, Hamming weights 0.5 to 1",
            )
        self.kept: Pair = (width[0] / loss[0], width[1] / loss[1])
        shares = [_share(one, 0.0, 1 / lost, alpha) for one, lost in zip(weights, loss, strict=True)]
        self.gain = (shares[0] * shares[1]) ** -0.5
        self.alpha, self.snr_db, self.detect = float(alpha), snr_db, detect

    def forward(
        self, image: Float[Tensor, "b c hs ws"], kernel: Float[Tensor, "n 1 k k"] | None
    ) -> Float[Tensor, "n c2 h w"]:
        """The cut without noise; detected if the degradation detects.

        Raises:
            UserError: the image is detected already.
        """
        return self._detected(as_channels(self._cut(as_complex(image))))

    def degrade(
        self,
        hr: Float[Tensor, "b c hs ws"],
        generator: torch.Generator,
        facts: Mapping[str, Any] | None = None,
    ) -> Degraded:
        """Cut, add noise, detect."""
        lr = self._cut(as_complex(hr))
        level = torch.zeros(len(hr), device=hr.device)
        if self.snr_db is not None:
            lr, level = complex_noise(lr, self.snr_db, generator)
        return Degraded(self._detected(as_channels(lr)), None, level)

    def inside(self, image: Float[Tensor, "b c hs ws"]) -> Float[Tensor, "b 2 hs ws"]:
        """The part of an HR image whose frequencies LR has, on HR's grid."""
        return as_channels(cut_band(as_complex(image), (image.shape[-2], image.shape[-1]), self.kept))

    def _detected(self, image: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b c h w"]:
        return amplitude(image) if self.detect else image

    def _cut(self, image: Complex[Tensor, "b hs ws"]) -> Complex[Tensor, "b h w"]:
        return self.gain * cut_band(image, reduced_sides(image, self.factors), self.kept, alpha=self.alpha)


class Sublook(OfSpectrum):
    """LR as looks of s neighbouring sub-bands of one axis; of the other axis the middle 1/s is kept.

    Args:
        scale: s.
        axis: that is divided: `azimuth` gives looks from different angles.
        look: number of the one sub-band that LR is, complex, counted from 0 by frequency; null: the mean intensity
            of all, as amplitude: s looks. A look is moved to the middle of the spectrum: its intensity compares with
            HR's, its phase does not.
        occupied, taper: as of `Bandcut`; looks are brought to one mean intensity.

    Raises:
        UserError: no such look, or a band that is none.
    """

    def __init__(
        self,
        scale: int,
        axis: Axis = "azimuth",
        look: int | None = None,
        occupied: list[float | int] | None = None,
        taper: list[float | int] | None = None,
    ) -> None:
        super().__init__(scale)
        if look is not None and not 0 <= look < scale:
            raise UserError(
                f"there is no look {look} of {scale}", where="degradation.look", fix=f"0 to {scale - 1}"
            )
        width, self.taper = _of_sensor(occupied, taper)
        self.kept: Pair = (width[0] / scale, width[1] / scale)
        self.axis, self.look = axis, look

    def forward(
        self, image: Float[Tensor, "b c hs ws"], kernel: Float[Tensor, "n 1 k k"] | None
    ) -> Float[Tensor, "n c2 h w"]:
        """One look, or the mean of all.

        Raises:
            UserError: the image is detected already.
        """
        looks = self._looks(as_complex(image))
        if self.look is not None:
            return as_channels(looks[self.look])
        return looks.abs().square().mean(0)[:, None].sqrt()

    def _looks(self, image: Complex[Tensor, "b hs ws"]) -> Complex[Tensor, "s b h w"]:
        divided, other = (0, 1) if self.axis == "azimuth" else (1, 0)
        looks = []
        for number in range(self.scale):
            middle = (number - (self.scale - 1) / 2) / self.scale
            share = _share(self.taper[divided], middle, 1 / self.scale)
            share *= _share(self.taper[other], 0.0, 1 / self.scale)
            offset = middle * self.kept[divided] * self.scale
            centre = (offset, 0.0) if divided == 0 else (0.0, offset)
            size = reduced_sides(image, self.scale)
            looks.append(share**-0.5 * cut_band(image, size, self.kept, centre=centre))
        return torch.stack(looks)


def _of_sensor(occupied: list[float | int] | None, taper: list[float | int] | None) -> tuple[Pair, Pair]:
    """Widths and weights in azimuth and range."""
    pairs = []
    for name, given, least in (("occupied", occupied, 0), ("taper", taper, 0.5)):
        found = [1.0, 1.0] if given is None else given
        if len(found) != 2 or not all(least < one <= 1 for one in found):
            raise UserError(
                f"{found} is none",
                where=f"degradation.{name}",
                fix=f"give [azimuth, range], each above {least} and at most 1",
            )
        pairs.append((float(found[0]), float(found[1])))
    return pairs[0], pairs[1]


def _share(taper: float, middle: float, part: float, alpha: float = 1.0) -> float:
    """Share of a tapered band's power that is left of a part of it, seen through further weights.

    Args:
        taper: Hamming weights of the band.
        middle: of the part, in widths of the band from its own middle.
        part: its width, in those of the band.
        alpha: Hamming weights over the part.
    """
    place = (torch.arange(4096, dtype=torch.float64) + 0.5) / 4096 - 0.5
    power = hamming(place, taper).square()
    left = hamming((place - middle) / part, alpha).square() * ((place - middle).abs() < part / 2)
    return float((power * left).sum() / power.sum())
