"""LR radar images by a cut of the complex spectrum: less bandwidth, a shorter aperture, or several sub-looks."""

from typing import Literal

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sr_lab.degradation.band import Pair, cut_band, hamming
from sr_lab.degradation.chain import Degradation, Degraded
from sr_lab.degradation.speckle import complex_noise
from sr_lab.errors import UserError
from sr_lab.io.complex import amplitude, as_channels, as_complex

Axis = Literal["azimuth", "range"]


class Bandcut(Degradation):
    """The LR image as a sensor of 1/s of the bandwidth and of the aperture would have made it.

    Of the *occupied* band the middle 1/s is kept, not of the FFT grid: HR images are oversampled, and half the grid
    of RADARSAT-1 would cost only 1.4 of its azimuth resolution. LR is oversampled as HR is. Amplitudes are scaled such
    that the mean intensity of clutter stays. The band is a fact of the sensor and not measured on each image, so the
    operator is one and the same for HR and for what is restored.

    Args:
        scale: s, of the pixels, and of the resolution where nothing else is said.
        azimuth: loss of resolution along the rows' axis; null: s.
        range: loss of resolution along the columns' axis; null: s.
        occupied: width of HR's band in azimuth and range, cycles per pixel, centred; null: the whole spectrum.
        alpha: of the generalised Hamming weights over the band kept; 1 is flat, 0.75 as Sentinel-1's.
        snr_db: of complex noise that is added; null: none.
        detect: LR as amplitude, without its phase.
    """

    def __init__(
        self,
        scale: int,
        azimuth: float | int | None = None,
        range: float | int | None = None,  # the field's word
        occupied: list[float | int] | None = None,
        alpha: float | int = 1.0,
        snr_db: float | int | None = None,
        detect: bool = False,
    ) -> None:
        super().__init__(scale, None, anchor="block_center")
        self.loss: Pair = (float(azimuth or scale), float(range or scale))
        if min(self.loss) < 1 or (occupied is not None and not _is_band(occupied)):
            raise UserError(
                f"a loss of {self.loss} of a band of {occupied} is none",
                where="degradation",
                fix="losses are 1 or more, bands two widths in (0, 1]",
            )
        azimuth_width, range_width = occupied or (1.0, 1.0)
        self.kept: Pair = (azimuth_width / self.loss[0], range_width / self.loss[1])
        self.alpha, self.snr_db, self.detect = float(alpha), snr_db, detect

    def forward(
        self, image: Float[Tensor, "b c hs ws"], kernel: Float[Tensor, "n 1 k k"] | None
    ) -> Float[Tensor, "n c2 h w"]:
        """The cut without noise; detected if the degradation detects.

        Raises:
            UserError: the image is detected already.
        """
        return self._detected(as_channels(self._cut(as_complex(image))))

    def degrade(self, hr: Float[Tensor, "b c hs ws"], generator: torch.Generator) -> Degraded:
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
        gain = (self.loss[0] * self.loss[1]) ** 0.5 / _rms(self.alpha) ** 2
        return gain * cut_band(image, _size(image, self.scale), self.kept, alpha=self.alpha)


class Sublook(Degradation):
    """LR as looks of s neighbouring sub-bands of one axis; of the other axis the middle 1/s is kept.

    Args:
        scale: s.
        axis: that is divided: `azimuth` gives looks from different angles.
        look: number of the one sub-band that LR is, complex, counted from 0 by frequency; null: the mean intensity
            of all, as amplitude: s looks.
        occupied: as of `Bandcut`.
    """

    def __init__(
        self,
        scale: int,
        axis: Axis = "azimuth",
        look: int | None = None,
        occupied: list[float | int] | None = None,
    ) -> None:
        super().__init__(scale, None, anchor="block_center")
        if look is not None and not 0 <= look < scale:
            raise UserError(
                f"there is no look {look} of {scale}", where="degradation.look", fix=f"0 to {scale - 1}"
            )
        azimuth_width, range_width = occupied or (1.0, 1.0)
        self.kept: Pair = (azimuth_width / scale, range_width / scale)
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
        divided = 0 if self.axis == "azimuth" else 1
        looks = []
        for number in range(self.scale):
            offset = (number - (self.scale - 1) / 2) * self.kept[divided]
            centre = (offset, 0.0) if divided == 0 else (0.0, offset)
            looks.append(self.scale * cut_band(image, _size(image, self.scale), self.kept, centre=centre))
        return torch.stack(looks)


def _size(image: Tensor, scale: int) -> tuple[int, int]:
    return image.shape[-2] // scale, image.shape[-1] // scale


def _is_band(width: list[float | int]) -> bool:
    return len(width) == 2 and all(0 < one <= 1 for one in width)


def _rms(alpha: float) -> float:
    """Of the weights over the band."""
    place = (torch.arange(1024, dtype=torch.float64) + 0.5) / 1024 - 0.5
    return float(hamming(place, alpha).square().mean().sqrt())
