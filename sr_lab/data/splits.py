"""Splits: which images train, validate and test, told apart by flight and checked by content."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sr_lab.errors import UserError

Split = Literal["train", "validation", "test"]


class Entry(BaseModel):
    """One image of a split.

    Args:
        file: relative to the data folder.
        sha256: of the file.
        flight: of the sensor; images of one flight resemble each other.
        split: what the image is for.
        key: variable that holds it, where the file leaves a choice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    flight: str
    split: Split
    key: str | None = None


def read_splits(path: str | Path) -> dict[str, Entry]:
    """All images of a split file, by id.

    Args:
        path: YAML: id to `file`, `sha256`, `flight`, `split` and, if need be, `key`.

    Raises:
        UserError: no such file, an entry that is not well formed, or a flight on both sides.
    """
    from omegaconf import OmegaConf

    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError("no such split file", where=str(path), fix="check dataset.images.splits")
    try:
        entries = TypeAdapter(dict[str, Entry]).validate_python(OmegaConf.to_container(OmegaConf.load(path)))
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(item) for item in first["loc"])
        raise UserError(
            f"{where}: {first['msg']}", where=str(path), fix="an entry has file, sha256, flight and split"
        ) from fault
    check_flights(entries, path)
    return entries


def check_flights(entries: dict[str, Entry], path: Path) -> None:
    """See that no flight is in more than one split, and no file either, under whatever name.

    Raises:
        UserError: one is.
    """
    for kind in ("flight", "file", "sha256"):
        sides: dict[str, dict[str, str]] = {}
        for name, entry in entries.items():
            sides.setdefault(getattr(entry, kind), {})[entry.split] = name
        for value, found in sides.items():
            if len(found) > 1:
                both = " and ".join(f"{split} ({name})" for split, name in found.items())
                raise UserError(
                    f"{kind} '{value}' is in {both}",
                    where=str(path),
                    fix="what is tested on must not have been trained on: move it to one side",
                )


def verified(root: Path, name: str, entry: Entry) -> Path:
    """The file of an entry, once its content is what the split says.

    Raises:
        UserError: missing, or another content.
    """
    path = root / entry.file
    if not path.is_file():
        raise UserError(
            f"the file of '{name}' is missing",
            where=str(path),
            fix="set dataset.images.root, or SR_LAB_DATA to the data folder",
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != entry.sha256:
        raise UserError(
            f"the file of '{name}' is not the one of the split: its sha256 starts with {found[:12]}, not "
            f"{entry.sha256[:12]}",
            where=str(path),
            fix="fetch it again; for another edition of the data write a split file of your own",
        )
    return path
