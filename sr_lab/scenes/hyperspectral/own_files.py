"""Cubes as a person has them: read, normalised by their own scale, and written back with all bands."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.scenes.base import Enlarge
from sr_lab.scenes.hyperspectral.cube import Cube, Layout
from sr_lab.scenes.hyperspectral.files import list_cubes, read_cube, write_cube
from sr_lab.scenes.hyperspectral.normalise import Normalisation


@dataclass(frozen=True)
class CubeFiles:
    """MATLAB, HDF5, .npy, ENVI and GeoTIFF files.

    Args:
        key: variable or data set that holds the cube; None: the one much larger than all others.
        layout: order of the axes; None: see `read_cube`.
    """

    key: str | None = None
    layout: Layout | None = None

    def find(self, folder: Path) -> list[Path]:
        """Cubes in a folder; of an ENVI image its header."""
        return list_cubes([folder])

    def open(self, path: Path) -> "OpenedCube":
        """Read a cube."""
        cube = read_cube(path, key=self.key, layout=self.layout)
        return OpenedCube(cube, Normalisation.of([cube.values[cube.good_bands]]))


@dataclass(frozen=True)
class OpenedCube:
    """A cube whose usable bands are restored, and whose bad ones are interpolated."""

    cube: Cube
    normalisation: Normalisation

    def image(self) -> Float[Tensor, "1 c h w"]:
        """The usable bands, normalised."""
        return torch.from_numpy(self.normalisation.forward(self.cube.values[self.cube.good_bands]))[None]

    def check(self, target: Path, scale: int) -> None:
        """Any size fits."""

    def write(
        self, target: Path, rows: Iterable[Float[Tensor, "1 c rows ws"]], scale: int, enlarge: Enlarge
    ) -> list[str]:
        """Write all bands in file units; bad ones by bicubic, and without numbers where they have none."""
        bands, height, width = self.cube.values.shape
        values = np.empty((bands, height * scale, width * scale), np.float32)
        good, bad, top = self.cube.good_bands, np.flatnonzero(self.cube.bad_bands), 0
        for part in rows:
            below = top + part.shape[-2]
            values[good, top:below] = self.normalisation.inverse(part[0].cpu().numpy())
            top = below
        remarks = []
        if len(bad):
            interpolated = enlarge(torch.from_numpy(self.cube.values[bad])[None])
            values[bad] = torch.cat(list(interpolated), -2)[0].numpy()
            remarks.append(f"bad bands took no part and are interpolated: {_ranges(bad)}")
        write_cube(target, values, self.cube)
        return remarks


def _ranges(numbers: np.ndarray) -> str:
    """`0, 5-7` for 0, 5, 6, 7."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
