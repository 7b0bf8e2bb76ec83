"""How long jobs will take, from the records of their like."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from sr_lab.errors import UserError
from sr_lab.sweep.freeze import Frozen
from sr_lab.tracking.record import Record, find_records


@dataclass(frozen=True)
class Estimate:
    """Seconds of work in all jobs that have a like among the records, and how many have none."""

    seconds: float
    records: int
    unknown: int


def estimate(cells: Sequence[Frozen], folder: Path) -> Estimate:
    """Seconds that jobs will take, each by the mean of the records nearest to it.

    Nearest is the same signature, else the same labels, else the same method and scale.
    """
    known: dict[Hashable, list[float]] = defaultdict(list)
    count = 0
    for record in _records(folder):
        count += 1
        for key in _keys(record.signature, record.labels):
            known[key].append(record.seconds)
    seconds, unknown = 0.0, 0
    for cell in cells:
        found = next((known[key] for key in _keys(cell.signature, cell.labels) if key in known), None)
        if found is None:
            unknown += 1
        else:
            seconds += fmean(found)
    if cells and 0 < unknown < len(cells):  # the unknown ones, as the known ones on average
        seconds *= len(cells) / (len(cells) - unknown)
    return Estimate(seconds, count, unknown)


def _keys(signature: str, labels: dict[str, str | int]) -> list[Hashable]:
    return [signature, tuple(sorted(labels.items())), (labels.get("method"), labels.get("scale"))]


def _records(folder: Path) -> Iterator[Record]:
    for path in find_records(folder) if folder.is_dir() else ():
        try:
            yield Record.read(path)
        except UserError:
            continue
