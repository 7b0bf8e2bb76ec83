"""Hyperspectral cubes as images: usable bands, divided by one scale."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.data.images import cut, existing, ids_of, keep_only
from sr_lab.data.splits import Split, read_splits, verified
from sr_lab.errors import UserError
from sr_lab.scenes.hyperspectral.cube import Cube, Layout
from sr_lab.scenes.hyperspectral.files import list_cubes, read_cube
from sr_lab.scenes.hyperspectral.normalise import Normalisation
from sr_lab.scenes.hyperspectral.splits import SPLITS


class Cubes:
    """Cubes of a split, or of a folder; bad bands are left out.

    Args:
        root: data folder that a split file refers to; without a split, a folder searched recursively, or one file.
        split: `train`, `validation` or `test`: files named by `splits`, verified by their sha256. None: all cubes
            below `root`, as they are.
        splits: split file; None: the one that comes with this package.
        only: ids to keep: names of the split file, or relative paths without suffix.
        limit: keep the first n.
        crop: [top, left, height, width] cut from every cube.
        bands: how many of the usable bands, evenly spread; or the numbers of bands, counted from 0 in the file. None:
            all usable ones.
        unit: value in file units that 1.0 stands for, such as 10000; None: the 99.9th percentile of each whole cube.
        key: variable or data set, where a file leaves a choice.
        layout: order of the axes, where a file leaves a choice.

    Raises:
        UserError: a file is missing, or not the one of the split; no cube of this name.
    """

    def __init__(
        self,
        root: str,
        split: Split | None = None,
        splits: str | None = None,
        only: list[str] | None = None,
        limit: int | None = None,
        crop: list[int] | None = None,
        bands: int | list[int] | None = None,
        unit: float | int | None = None,
        key: str | None = None,
        layout: Layout | None = None,
    ) -> None:
        base = existing(root, "hyperspectral/")
        if split is None:
            found = list_cubes([base])
            named = dict(zip(ids_of(found, base), found, strict=True))
            self.ids = keep_only(list(named), only, root)[:limit]
            self.paths, self.keys = [named[name] for name in self.ids], [key] * len(self.ids)
        else:
            entries = {name: one for name, one in read_splits(splits or SPLITS).items() if one.split == split}
            self.ids = keep_only(list(entries), only, root)[:limit]
            self.paths = [verified(base, name, entries[name]) for name in self.ids]
            self.keys = [entries[name].key or key for name in self.ids]
        self.crop, self.bands, self.unit = crop, bands, unit
        self.layout: Layout | None = layout
        self._latest: tuple[int, Cube] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Float[Tensor, "c h w"]:
        cube = self._cube(index)
        values = self._normalisation(cube).forward(cube.values[self._bands(index, cube)])
        return cut(torch.from_numpy(values), self.crop, self.ids[index]).contiguous()

    def facts(self, index: int) -> dict[str, Any]:
        """What is known of an image: `wavelengths` (nm) of its bands, and the `unit` that 1.0 stands for."""
        cube = self._cube(index)
        facts: dict[str, Any] = {"unit": self._normalisation(cube).unit}
        if cube.wavelengths is not None:
            facts["wavelengths"] = cube.wavelengths[self._bands(index, cube)]
        return facts

    def _cube(self, index: int) -> Cube:
        """The cube, read once while it is the latest."""
        if self._latest is None or self._latest[0] != index:
            self._latest = index, read_cube(self.paths[index], key=self.keys[index], layout=self.layout)
        return self._latest[1]

    def _normalisation(self, cube: Cube) -> Normalisation:
        if self.unit is not None:
            return Normalisation(self.unit)
        return Normalisation.of([cube.values[cube.good_bands]])

    def _bands(self, index: int, cube: Cube) -> np.ndarray:
        """Numbers of the bands to give."""
        good = cube.good_bands
        if self.bands is None:
            return good
        if isinstance(self.bands, int):
            if 1 <= self.bands <= len(good):
                return good[np.linspace(0, len(good) - 1, self.bands).round().astype(int)]
            what = f"cube '{self.ids[index]}' has {len(good)} usable bands, {self.bands} were asked for"
        else:
            unusable = sorted(set(self.bands) - set(good.tolist()))
            if self.bands and not unusable:
                return np.array(self.bands)
            what = f"cube '{self.ids[index]}' has no usable bands {unusable}"
        raise UserError(what, where="dataset.images.bands", fix=f"it has {len(cube.values)} bands in all")
