"""Radar images as a person has them: read, centred, scaled by one number, and written back as they came."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.band import shifted_band
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels, as_complex, intensity
from sr_lab.scenes.base import Enlarge
from sr_lab.scenes.sar.card import SensorCard
from sr_lab.scenes.sar.files import list_radar, read_radar, write_radar
from sr_lab.scenes.sar.image import RadarImage
from sr_lab.scenes.sar.kind import Kind, from_intensity, to_intensity


@dataclass(frozen=True)
class RadarFiles:
    """.npy, GeoTIFF and SICD files.

    Args:
        kind: `slc`, `amplitude`, `intensity` or `log`; None: slc if complex, else amplitude.
        band: number of the polarisation, where a file holds several.
        unit: amplitude, in file units, that 1.0 stands for; None: the root mean square of the image.
        spacing: of pixels in azimuth and range, metres, for the sensor card; None: as the file tells, if it does.
    """

    kind: Kind | None = None
    band: int | None = None
    unit: float | int | None = None
    spacing: list[float | int] | None = None

    def __post_init__(self) -> None:
        if self.spacing is not None and (len(self.spacing) != 2 or min(self.spacing) <= 0):
            raise UserError(
                f"a spacing of {self.spacing}",
                where="scene.files.spacing",
                fix="give [azimuth, range] in metres, such as [5.3,4.6]",
            )
        if self.unit is not None and self.unit <= 0:
            raise UserError(f"a unit of {self.unit}", where="scene.files.unit", fix="give a positive number")

    def find(self, folder: Path) -> list[Path]:
        """Radar images in a folder."""
        return list_radar([folder])

    def open(self, path: Path) -> "OpenedRadar":
        """Read one image."""
        image = read_radar(path, kind=self.kind, band=self.band)
        unit = self.unit or float(np.sqrt(to_intensity(image.values, image.kind).mean()))
        spacing = image.spacing if self.spacing is None else (float(self.spacing[0]), float(self.spacing[1]))
        card = SensorCard.of(torch.from_numpy(image.values), spacing) if image.kind == "slc" else None
        return OpenedRadar(image, float(unit), card)


@dataclass(frozen=True)
class OpenedRadar:
    """A radar image; the band of an SLC is centred, and brought back where it was in the result."""

    radar: RadarImage
    unit: float
    card: SensorCard | None

    def image(self) -> Float[Tensor, "1 c h w"]:
        """Two channels of an SLC, or the amplitude of a detected image, over the unit."""
        return normalised(self.radar, self.unit, self.card)[None]

    def check(self, target: Path, scale: int) -> None:
        """Any size fits."""

    def write(
        self, target: Path, rows: Iterable[Float[Tensor, "1 c rows ws"]], scale: int, enlarge: Enlarge
    ) -> list[str]:
        """Write it in its own kind and units."""
        restored = torch.cat([part.cpu() for part in rows], -2)
        write_radar(target, self._in_file_units(restored, scale), self.radar)
        remarks = []
        if self.card is not None:
            remarks.append(str(self.card))
        elif not self.radar.told:
            remarks.append("real values taken as amplitude; else --set scene.files.kind=intensity or log")
        if self.radar.extra.get("transform") is not None:
            remarks.append("the image is geocoded: resampling has widened its point spread unevenly")
        return remarks

    def _in_file_units(self, restored: Float[Tensor, "1 c h w"], scale: int) -> np.ndarray:
        if self.card is not None:
            values = shifted_band(as_complex(restored)[0], self.card.band.centre, 1 / scale)
            return values.numpy() * np.float32(self.unit)
        power = intensity(restored)[0, 0].double().numpy() * self.unit**2
        if self.radar.kind == "log":  # overshoots below 0 have no logarithm
            power = np.maximum(power, to_intensity(self.radar.values.min(keepdims=True), "log"))
        return from_intensity(power, self.radar.kind)


def normalised(radar: RadarImage, unit: float, card: SensorCard | None) -> Float[Tensor, "c h w"]:
    """An image as it travels.

    Args:
        radar: as read.
        unit: amplitude that 1.0 stands for.
        card: of an SLC; its band is moved to the middle of the spectrum.
    """
    if card is not None:
        values = torch.from_numpy(radar.values / np.float32(unit))
        azimuth, range_ = card.band.centre
        return as_channels(shifted_band(values, (-azimuth, -range_))[None])[0]
    amplitude = np.sqrt(to_intensity(radar.values, radar.kind)) / unit
    return torch.from_numpy(amplitude.astype(np.float32))[None]
