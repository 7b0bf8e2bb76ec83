"""Splits: which sets of frames train, validate and test, told apart by camera and checked by content."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sr_lab.errors import UserError
from sr_lab.io.images import list_images

SPLITS = Path(__file__).with_name("splits.yaml")
Split = Literal["train", "validation", "test"]


class FrameSet(BaseModel):
    """Frames of one camera.

    Args:
        folder: relative to the data folder.
        split: what they are for.
        camera: that took them, or the data set's name for it.
        frames: how many.
        sha256: of the lines `name sha256-of-file` in the order of the names.
        lr: folder of their real LR images, of the same names; None: there are none.
        lr_suffix: that the names of these have besides.
        truth: whether a frame is the ground truth, or an LR image without one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str
    split: Split
    camera: str
    frames: int = Field(ge=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    lr: str | None = None
    lr_suffix: str = ""
    truth: bool = True


def read_splits(path: str | Path = SPLITS) -> dict[str, FrameSet]:
    """All sets of a split file, by name.

    Raises:
        UserError: no such file, or an entry that is not well formed.
    """
    from omegaconf import OmegaConf

    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError("no such split file", where=str(path), fix="check dataset.images.splits")
    try:
        return TypeAdapter(dict[str, FrameSet]).validate_python(OmegaConf.to_container(OmegaConf.load(path)))
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(item) for item in first["loc"])
        fix = "an entry has folder, split, camera, frames and sha256"
        raise UserError(f"{where}: {first['msg']}", where=str(path), fix=fix) from fault


def verified(root: Path, name: str, entry: FrameSet) -> list[Path]:
    """The frames of a set, once their content is what the split says.

    Raises:
        UserError: missing, or another content.
    """
    folder = root / entry.folder
    fix = "set dataset.images.root, or SR_LAB_DATA to the folder that holds infrared/"
    if not folder.is_dir():
        raise UserError(f"the frames of '{name}' are missing", where=str(folder), fix=fix)
    paths = list_images([folder])
    if len(paths) != entry.frames or content(paths) != entry.sha256:
        raise UserError(
            f"the {len(paths)} frames of '{name}' are not the {entry.frames} of the split",
            where=str(folder),
            fix="fetch them again; for another edition of the data write a split file of your own",
        )
    return paths


def content(paths: list[Path]) -> str:
    """sha256 of the lines `name sha256-of-file` in the order of the names."""
    lines = [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in sorted(paths)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
