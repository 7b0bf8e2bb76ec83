"""Runs below a folder: read, told apart, and none counted twice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sr_lab.config.signature import signature_across_seeds
from sr_lab.errors import UserError
from sr_lab.tracking.record import Record, find_records

Key = tuple[tuple[tuple[str, str | int], ...], str]


@dataclass(frozen=True)
class Run:
    """One record and where it lies; `name` is its folder below the root of the report."""

    folder: Path
    name: str
    record: Record


@dataclass(frozen=True)
class Collection:
    """What lay below a folder: runs to count, repeats that were left out, and what could not be read.

    `superseded` holds (left out, counted instead); `unreadable` holds (file, reason).
    """

    runs: list[Run]
    superseded: list[tuple[Run, Run]]
    unreadable: list[tuple[str, str]]


def collect(root: Path) -> Collection:
    """Read every record below a folder.

    Records with the same labels, signature and seed are the same run twice: the newest counts.

    Raises:
        UserError: no folder, or no readable record in it.
    """
    if not root.is_dir():
        raise UserError("no such folder", where=str(root), fix="Name a folder that holds runs")
    newest: dict[tuple[Key, int], Run] = {}
    repeats: list[Run] = []
    unreadable: list[tuple[str, str]] = []
    for path in find_records(root):
        folder = path.parent
        try:
            run = Run(folder, folder.relative_to(root).as_posix(), Record.read(path))
        except UserError as error:
            unreadable.append((path.relative_to(root).as_posix(), error.what))
            continue
        key = (configuration(run.record), run.record.seed)
        older, newer = sorted((newest.get(key, run), run), key=lambda run: (run.record.created, run.name))
        if key in newest:
            repeats.append(older)
        newest[key] = newer
    if not newest:
        reason = f"; the first of {len(unreadable)} unreadable ones: {unreadable[0][1]}" if unreadable else ""
        fix = "Do a run first, or name a folder above the runs: it is searched to the bottom for result.json"
        raise UserError(f"no record of a run below this folder{reason}", where=str(root), fix=fix)
    superseded = [(run, newest[configuration(run.record), run.record.seed]) for run in repeats]
    return Collection(list(newest.values()), superseded, unreadable)


def configuration(record: Record) -> Key:
    """What runs share that differ in nothing but their seed, and in weights that are named after it."""
    across = signature_across_seeds(record.config) if "seed" in record.config else None
    return tuple(sorted(record.labels.items())), across or record.signature
