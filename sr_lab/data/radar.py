"""Radar images as samples: SLCs with their band in the middle of the spectrum, or amplitudes, over one unit."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.data.images import cut, existing, ids_of, keep_only
from sr_lab.data.splits import Split, read_splits, verified
from sr_lab.errors import UserError
from sr_lab.io.complex import amplitude
from sr_lab.scenes.sar.card import SensorCard
from sr_lab.scenes.sar.files import list_radar, read_radar
from sr_lab.scenes.sar.image import RadarImage
from sr_lab.scenes.sar.kind import Kind, to_intensity
from sr_lab.scenes.sar.own_files import normalised
from sr_lab.scenes.sar.splits import SPLITS


class RadarImages:
    """Radar images of a split, or of a folder.

    Args:
        root: data folder that a split file refers to; without a split, a folder searched recursively, or one file.
        split: `train` or `test`: files named by `splits`, verified by their sha256. None: all images below `root`.
        splits: split file; None: the one that comes with this package.
        only: ids to keep: names of the split file, or relative paths without suffix.
        limit: keep the first n.
        crop: [top, left, height, width] cut from every image, once it is centred.
        unit: amplitude in file units that 1.0 stands for, the same for all images of a sensor; None: the root mean
            square of each, which loses how bright they are to each other.
        kind: of the values; None: slc if complex, else amplitude.
        band: number of the polarisation, where files hold several.
        detect: SLCs as amplitudes.

    Raises:
        UserError: a file is missing, or not the one of the split; no image of this name.
    """

    axes_differ = True  # a sensor's band, and so its speckle, is not the same in azimuth and in range

    def __init__(
        self,
        root: str,
        split: Split | None = None,
        splits: str | None = None,
        only: list[str] | None = None,
        limit: int | None = None,
        crop: list[int] | None = None,
        unit: float | int | None = None,
        kind: Kind | None = None,
        band: int | None = None,
        detect: bool = False,
    ) -> None:
        base = existing(root, "sar/")
        if split is None:
            found = list_radar([base])
            named = dict(zip(ids_of(found, base), found, strict=True))
            self.ids = keep_only(list(named), only, root)[:limit]
            self.paths = [named[name] for name in self.ids]
        else:
            entries = {name: one for name, one in read_splits(splits or SPLITS).items() if one.split == split}
            self.ids = keep_only(list(entries), only, root)[:limit]
            self.paths = [verified(base, name, entries[name]) for name in self.ids]
        if unit is not None and unit <= 0:
            raise UserError(f"a unit of {unit}", where="dataset.images.unit", fix="give a positive number")
        self.crop, self.unit, self.band, self.detect = crop, unit, band, detect
        self.kind: Kind | None = kind
        self._latest: tuple[int, RadarImage, SensorCard | None] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Float[Tensor, "c h w"]:
        radar, card = self._read(index)
        image = normalised(radar, self._unit(radar), card)
        if self.detect:
            image = amplitude(image[None])[0]
        return cut(image, self.crop, self.ids[index]).contiguous()

    def facts(self, index: int) -> dict[str, Any]:
        """What is known of an image: its `kind`, the `unit` that 1.0 stands for, and of an SLC the sensor card."""
        radar, card = self._read(index)
        facts: dict[str, Any] = {"kind": radar.kind, "unit": self._unit(radar)}
        return facts if card is None else {**facts, **asdict(card)}

    def _read(self, index: int) -> tuple[RadarImage, SensorCard | None]:
        """The image, read once while it is the latest."""
        if self._latest is None or self._latest[0] != index:
            radar = read_radar(self.paths[index], kind=self.kind, band=self.band)
            card = (
                SensorCard.of(torch.from_numpy(radar.values), radar.spacing) if radar.kind == "slc" else None
            )
            self._latest = index, radar, card
        return self._latest[1], self._latest[2]

    def _unit(self, radar: RadarImage) -> float:
        if self.unit is not None:
            return float(self.unit)
        return float(np.sqrt(to_intensity(radar.values, radar.kind).mean()))
