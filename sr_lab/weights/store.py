"""Checkpoints by name: those shipped with the package and those a person imported or trained."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.io.atomic import atomic_write, write_json

SHIPPED = Path(__file__).parent
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """One line of a manifest: what a checkpoint is and where it comes from.

    Args:
        name: by which configs refer to it.
        file: beside the manifest.
        sha256: of the file; checked at every load.
        licence: SPDX identifier.
        source: the command that made it, or the file it was imported from.
        kind: `fkp`, `usrnet`, `kernel_net`, `essaformer`, `residual` or `eigenimages`.
        notes: training data, figures.
    """

    name: str
    file: str
    sha256: str
    licence: str
    source: str
    kind: str
    notes: str = ""


@dataclass
class Checkpoint:
    """Tensors and the architecture they belong to."""

    state: dict[str, Tensor]
    architecture: dict[str, Any] = field(default_factory=dict)


def user_folder() -> Path:
    """Where imported weights go: SR_LAB_WEIGHTS, else the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SR_LAB_WEIGHTS") or Path(cache) / "sr_lab" / "weights")


def read_manifest(folder: Path) -> dict[str, Entry]:
    """Entries of a folder, by name; empty if it has no manifest."""
    path = folder / MANIFEST
    if not path.exists():
        return {}
    try:
        return {item["name"]: Entry(**item) for item in json.loads(path.read_text(encoding="utf-8"))}
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"damaged manifest ({error})", where=str(path), fix="import the weights again"
        ) from error


def all_entries() -> dict[str, tuple[Path, Entry]]:
    """Every known checkpoint with its folder; the user's own hide shipped ones of the same name."""
    return {
        name: (folder, entry)
        for folder in (SHIPPED, user_folder())
        for name, entry in read_manifest(folder).items()
    }


def load_weights(name: str) -> Checkpoint:
    """Load a checkpoint by name or path, never unpickling more than tensors.

    Raises:
        UserError: unknown name, missing or damaged file, foreign pickle.
    """
    entries = all_entries()
    if name in entries:
        folder, entry = entries[name]
        path = folder / entry.file
        if path.exists() and sha256(path) != entry.sha256:
            raise UserError(
                "its sha256 differs from the manifest's",
                where=str(path),
                fix="reinstall or import the weights again",
            )
    else:
        path = Path(name).expanduser()
        if path.suffix not in {".pt", ".pth", ".ckpt"}:
            import difflib

            near = difflib.get_close_matches(name, entries, n=1)
            raise UserError(
                f"no weights named '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""),
                where="weights",
                fix=f"known: {', '.join(sorted(entries)) or 'none'}; or a .pt file (`sr-lab weights list`)",
            )
    if not path.exists():
        raise UserError("no such file", where=str(path), fix="see `sr-lab weights list`")
    return read_checkpoint(path)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a .pt file of tensors: our layout, a bare state dict, or the published FKP layout.

    Raises:
        UserError: the file holds anything but tensors and plain values.
    """
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # RuntimeError, UnpicklingError, EOFError, ... by the kind of damage
        raise UserError(
            f"not a safe torch checkpoint ({next(iter(str(error).splitlines()), type(error).__name__)})",
            where=str(path),
            fix="only files of plain tensors are read (weights_only=True); of a whole pickled module, "
            "`sr-lab weights import FILE --pickled-module` takes the tensors",
        ) from error
    architecture: dict[str, Any] = {}
    if isinstance(data, dict) and "state" in data and isinstance(data.get("architecture"), dict):
        data, architecture = data["state"], data["architecture"]
    for key in ("model_state", "state_dict"):  # FKP_x2.pt, ...; what Lightning and ResShift write
        if isinstance(data, dict) and isinstance(data.get(key), dict):
            data = data[key]
    if not isinstance(data, dict) or not data or not all(isinstance(v, Tensor) for v in data.values()):
        raise UserError(
            "no state dict inside",
            where=str(path),
            fix="give the weights.pt of a run, or a file of model.state_dict()",
        )
    return Checkpoint(dict(data), architecture)


def misfit(error: Exception) -> str:
    """What torch says of a state dict that does not fit a module, in one short line."""
    lines = [line.strip() for line in str(error).splitlines()]
    return shorten(" ".join(lines[1:] or lines), 200)  # the first of several only names the module's class


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write tensors (on the CPU) and architecture, atomically."""
    state = {key: value.detach().cpu().clone() for key, value in checkpoint.state.items()}
    with atomic_write(path) as file:
        torch.save({"architecture": checkpoint.architecture, "state": state}, file)


def register(folder: Path, entry: Entry) -> None:
    """Add or replace an entry of a folder's manifest."""
    entries = {**read_manifest(folder), entry.name: entry}
    write_json(folder / MANIFEST, [asdict(entries[name]) for name in sorted(entries)])


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
