"""Runs that came to nothing: folders with a config and no record, and why, as far as their files tell."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr_lab.tracking.record import RESULT

STATUS = "status.json"
_LOCK = ".lock"  # held by a job of a sweep for as long as it lives
_CONFIG = "config.yaml"
_LINES = 12  # of a log's or a traceback's end


@dataclass(frozen=True)
class Failure:
    """A run without a record: its folder, what was chosen, what became of it, and the end of what it said."""

    name: str
    title: str
    reason: str
    detail: str


def find_failures(root: Path) -> list[Failure]:
    """Every run below a folder that left no record and is not at work or waiting."""
    folders = {path.parent for name in (STATUS, _CONFIG) for path in root.rglob(name) if path.is_file()}
    missing = [folder for folder in sorted(folders) if not (folder / RESULT).exists()]
    return [failure for folder in missing if (failure := _failure(folder, root)) is not None]


def _failure(folder: Path, root: Path) -> Failure | None:
    config = _config(folder)
    status = _status(folder)
    if not status and "method" not in config:
        return None  # the config of something else
    state = str(status.get("state", ""))
    if state in ("queued", "pruned") or _is_held(folder / _LOCK):
        return None
    reason = str(status.get("reason") or "")
    if state == "running":
        reason = "its process is gone"
    elif not reason:
        reason = "no record, and no word of why: interrupted, or still at work"
    elif state not in ("", "failed"):
        reason = f"{state}: {reason}"
    tail = str(status.get("detail") or "").strip().splitlines()[-_LINES:]
    return Failure(folder.relative_to(root).as_posix(), _title(config), reason, "\n".join(tail))


def _status(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / STATUS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _config(folder: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load((folder / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_held(lock: Path) -> bool:
    """Whether a process holds the lock; the kernel lets go of it with the process."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _title(config: Mapping[str, Any]) -> str:
    """The choices of a run, as a table names them."""
    parts = (config.get(part) for part in ("dataset", "degradation", "prior", "backbone", "method"))
    names = [str(part["name"]) for part in parts if isinstance(part, Mapping) and "name" in part]
    scale = [f"scale {config['scale']}"] if "scale" in config else []
    seed = [f"seed {config['seed']}"] if "seed" in config else []
    return " · ".join([*names, *scale, *seed])
