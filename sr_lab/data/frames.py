"""Thermal frames as images: one channel, by the file's levels or by the frame's own range."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.data.images import cut, existing, ids_of, keep_only
from sr_lab.errors import UserError
from sr_lab.io.images import list_images
from sr_lab.scenes.infrared.normalise import Affine
from sr_lab.scenes.infrared.splits import SPLITS, Split, read_splits, verified
from sr_lab.scenes.infrared.thermal import Thermal, read_thermal


class Frames:
    """Frames of a split, of some of its sets, or of a folder.

    Args:
        root: data folder that a split file refers to; without split and sets a folder, searched recursively, or a file.
        split: `train`, `validation` or `test`: all sets of it that hold ground truth.
        sets: names of sets, of that split or of any.
        splits: split file; None: the one that comes with this package.
        only: ids to keep: `set/name`, or relative paths, without suffix.
        limit: keep the first n of each set.
        crop: [top, left, height, width] cut from every frame.

    Raises:
        UserError: frames are missing, or not those of the split; no set or frame of this name.
    """

    def __init__(
        self,
        root: str,
        split: Split | None = None,
        sets: list[str] | None = None,
        splits: str | None = None,
        only: list[str] | None = None,
        limit: int | None = None,
        crop: list[int] | None = None,
    ) -> None:
        base = existing(root, "infrared/")
        self.crop, self._latest = crop, (-1, None)
        if split is None and sets is None:
            found = list_images([base])
            named = dict(zip(ids_of(found, base), found, strict=True))
            kept = list(named)[:limit]
        else:
            named, kept = {}, []
            for name, folder in _chosen(base, split, sets, splits).items():
                frames = {f"{name}/{path.stem}": path for path in folder}
                named |= frames
                kept += list(frames)[:limit]
        self.ids = [image_id for image_id in keep_only(list(named), only, root) if image_id in kept]
        self.paths = [named[image_id] for image_id in self.ids]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Float[Tensor, "1 h w"]:
        frame = self._frame(index)
        values = torch.from_numpy(Affine.of(frame).forward(frame.levels))[None]
        return cut(values, self.crop, self.ids[index]).contiguous()

    def facts(self, index: int) -> dict[str, Any]:
        """`gain` and `offset` of the normalisation in `unit`s (grey levels, counts, K)."""
        frame = self._frame(index)
        affine = Affine.of(frame)
        return {
            "unit": frame.unit,
            "gain": affine.gain / frame.per_unit,
            "offset": affine.offset / frame.per_unit,
        }

    def _frame(self, index: int) -> Thermal:
        """The frame, read once while it is the latest."""
        if self._latest[0] != index:
            self._latest = index, read_thermal(self.paths[index])
        assert self._latest[1] is not None
        return self._latest[1]


class RealFrames(Frames):
    """Frames that a camera took at low resolution, with the truth where the set has one.

    Args:
        root, sets, splits, only, limit: as in `Frames`.

    Raises:
        UserError: as `Frames`; also a set whose frames are ground truth without LR images.
    """

    def __init__(
        self,
        root: str,
        sets: list[str],
        splits: str | None = None,
        only: list[str] | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(root, sets=sets, splits=splits, only=only, limit=limit)
        self._sets, self._root = read_splits(splits or SPLITS), Path(root).expanduser()
        for name in sets:
            if self._sets[name].truth and self._sets[name].lr is None:
                raise UserError(
                    f"the frames of '{name}' have no real LR images",
                    where="dataset.images.sets",
                    fix="use a degradation on them: sr_lab.data.frames.Frames",
                )

    def pair(self, index: int) -> tuple[Float[Tensor, "1 h w"], Float[Tensor, "1 hs ws"] | None]:
        """LR, and HR if it is known, in the range of the LR's own normalisation."""
        entry = self._sets[self.ids[index].split("/")[0]]
        if not entry.truth:
            return self[index], None
        hr = self._frame(index)
        assert entry.lr is not None
        path = self._root / entry.lr / f"{self.paths[index].stem}{entry.lr_suffix}{self.paths[index].suffix}"
        lr = read_thermal(path)
        affine = Affine.of(lr)
        images = [torch.from_numpy(affine.forward(frame.levels))[None] for frame in (lr, hr)]
        return images[0], images[1]


def _chosen(
    base: Path, split: Split | None, sets: list[str] | None, splits: str | None
) -> dict[str, list[Path]]:
    """Paths by set."""
    entries = read_splits(splits or SPLITS)
    unknown = sorted(set(sets or []) - set(entries))
    if unknown:
        raise UserError(
            f"no set of frames is called '{unknown[0]}'",
            where="dataset.images.sets",
            fix=f"known: {', '.join(entries)}",
        )
    names = sets if sets is not None else [name for name, entry in entries.items() if entry.truth]
    wanted = [name for name in names if split is None or entries[name].split == split]
    return {name: verified(base, name, entries[name]) for name in wanted}
