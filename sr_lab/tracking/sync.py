"""Runs that wait to be sent to wandb: which, how much, and sending them when told to."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr_lab.errors import UserError
from sr_lab.report.wording import count
from sr_lab.tracking.contents import artifact_files
from sr_lab.tracking.record import RESULT, Record

_PATIENCE = 1800  # seconds a run


@dataclass(frozen=True)
class Pending:
    """One offline run: wandb's folder, what it is, where it would go, and all files that would be sent."""

    folder: Path
    title: str
    target: str
    files: list[Path]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files)


def find_pending(root: Path) -> list[Pending]:
    """Offline runs below a folder that have not been sent.

    Raises:
        UserError: no such folder.
    """
    if not root.is_dir():
        raise UserError("no such folder", where=str(root), fix="Name a folder that holds runs")
    folders = sorted(path for path in root.rglob("offline-run-*") if path.is_dir())
    return [_pending(folder, root) for folder in folders if not list(folder.glob("*.wandb.synced"))]


def describe(pending: list[Pending]) -> str:
    """One line a run, and the sum."""
    lines = [
        f"{_bytes(one.size):>9}  {len(one.files):3d} files  {one.title}  ->  {one.target}" for one in pending
    ]
    total = sum(one.size for one in pending)
    files = sum(len(one.files) for one in pending)
    return "\n".join([*lines, f"{_bytes(total):>9}  {files:3d} files  in {count(len(pending), 'run')}"])


def send(pending: Pending) -> None:
    """Let wandb send one run and mark it as sent.

    Raises:
        UserError: it did not get through.
    """
    command = [sys.executable, "-m", "wandb", "sync", str(pending.folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
        said = (done.stderr or done.stdout).strip().splitlines()
        reason = said[-1] if said else f"exit code {done.returncode}"
    except subprocess.TimeoutExpired:
        done, reason = None, f"no end after {_PATIENCE} s"
    if done is None or done.returncode != 0:
        raise UserError(
            f"wandb did not send it ({reason})",
            where=str(pending.folder),
            fix="Try again; what was sent is kept",
        )


def _pending(folder: Path, root: Path) -> Pending:
    directory = folder.parent.parent
    own = [path for path in folder.rglob("*") if path.is_file() and "logs" not in path.parts]
    kept = [file for files in artifact_files(directory).values() for file in files]
    record = Record.read(directory) if (directory / RESULT).is_file() else None
    settings: dict[str, Any] = (record.config.get("tracking") or {}) if record else {}
    entity = settings.get("entity") or "your default team"
    title = f"{record.name} {record.signature} seed {record.seed}" if record else folder.name
    return Pending(
        folder,
        f"{title} ({folder.parent.parent.relative_to(root).as_posix()})",
        f"{entity}/{settings.get('project', 'sr_lab')}",
        own + kept,
    )


def _bytes(amount: int) -> str:
    size = float(amount)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
