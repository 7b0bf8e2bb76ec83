"""Thermal frames as a person has them: read, normalised by their own range, written back in their own units."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.io.images import check_size, list_images, write_image
from sr_lab.scenes.base import Enlarge
from sr_lab.scenes.infrared.normalise import Affine
from sr_lab.scenes.infrared.thermal import Thermal, read_thermal

ZERO_CELSIUS = 273.15


class ThermalFiles:
    """Grey pictures of 8 or 16 bits and radiometric TIFFs."""

    def find(self, folder: Path) -> list[Path]:
        """Pictures in a folder."""
        return list_images([folder])

    def open(self, path: Path) -> "OpenedThermal":
        """Read a frame."""
        frame = read_thermal(path)
        return OpenedThermal(frame, Affine.of(frame))


@dataclass(frozen=True)
class OpenedThermal:
    """A frame whose result has its format, depth, channels and units."""

    frame: Thermal
    normalisation: Affine

    def image(self) -> Float[Tensor, "1 1 h w"]:
        """Normalised."""
        return torch.from_numpy(self.normalisation.forward(self.frame.levels))[None, None]

    def check(self, target: Path, scale: int) -> None:
        """See that the format can hold so many pixels."""
        height, width = self.frame.levels.shape
        check_size(target, self.frame.picture.format, height * scale, width * scale)

    def write(
        self, target: Path, rows: Iterable[Float[Tensor, "1 1 rows ws"]], scale: int, enlarge: Enlarge
    ) -> list[str]:
        """Write the levels; of counts and temperatures say how the hottest pixel and the mean have moved."""
        picture = self.frame.picture
        height, width = self.frame.levels.shape
        top, highest = 0, 2**picture.bits - 1
        levels = np.empty((height * scale, width * scale), np.uint8 if picture.bits == 8 else np.uint16)
        for part in rows:
            values = np.rint(self.normalisation.inverse(part[0, 0].cpu().numpy()))
            levels[top : top + len(values)] = np.clip(values, 0, highest)
            top += len(values)
        pixels = np.repeat(levels[..., None], self.frame.channels, 2)
        write_image(target, pixels, bits=picture.bits, format=picture.format, icc=picture.icc)
        return [] if self.frame.kind == "grey" else [self._moved(levels)]

    def _moved(self, levels: np.ndarray) -> str:
        before, after = self.frame.levels, levels
        drift = 100 * (float(after.mean(dtype=np.float64)) / float(before.mean()) - 1)
        if self.frame.kind == "centikelvin":
            hottest = " -> ".join(f"{float(one.max()) / 100 - ZERO_CELSIUS:.2f}" for one in (before, after))
            return f"hottest pixel {hottest} C, mean moved by {drift:+.4f} %"
        hottest = " -> ".join(f"{int(one.max())}" for one in (before, after))
        return f"highest count {hottest}, mean moved by {drift:+.4f} %"
