"""Where the numbers come from: runs, commands, code, versions, and what a careful reader must be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sr_lab.report.collection import Collection, Run
from sr_lab.report.table import Row, Table
from sr_lab.report.wording import count, significant


@dataclass(frozen=True)
class RunFacts:
    """One run as a line of the report."""

    title: str
    name: str
    command: str
    facts: list[str]


@dataclass(frozen=True)
class Provenance:
    """Facts of all runs; `versions` and `notes` hold (what, which runs), empty where it is all of them."""

    runs: list[RunFacts]
    versions: list[tuple[str, str]]
    notes: list[tuple[str, str]]
    warnings: list[str]

    @property
    def commands(self) -> list[tuple[str, list[RunFacts]]]:
        """Every command, with the runs that it made: a multirun makes many."""
        made: dict[str, list[RunFacts]] = defaultdict(list)
        for run in self.runs:
            made[run.command].append(run)
        return list(made.items())


def trace_back(table: Table, collection: Collection) -> Provenance:
    """Gather what is needed to repeat and to doubt the table."""
    members = [(row, run) for row in table.rows for run in row.group.runs]
    return Provenance(
        runs=[_facts(row, run) for row, run in members],
        versions=_by_users(
            (
                (run, f"{name} {version}")
                for _, run in members
                for name, version in run.record.versions.items()
            ),
            len(members),
        ),
        notes=_by_users(((run, note) for _, run in members for note in run.record.notes), len(members)),
        warnings=[*table.warnings, *_warnings([run for _, run in members], collection)],
    )


def code_state(run: Run) -> str:
    """Commit, shortened, and whether it was all of the code."""
    commit = str(run.record.code.get("commit") or "unknown")
    return commit[:10] + (" with uncommitted changes" if run.record.code.get("dirty") else "")


def _facts(row: Row, run: Run) -> RunFacts:
    record = run.record
    facts = [
        f"seed {record.seed}",
        *([record.status] if record.status != "complete" else []),
        f"{significant(record.seconds)} s",
        f"{significant(record.peak_memory_mb)} MB",
        record.device,
        f"code {code_state(run)}",
        record.created,
        *(f"{name} {value:.6g}" for name, value in record.fit.items()),
    ]
    title = " · ".join(part for part in (row.setting, row.title) if part)
    return RunFacts(title, run.name, record.command, facts)


def _by_users(stated: Iterable[tuple[Run, str]], total: int) -> list[tuple[str, str]]:
    users: dict[str, dict[str, None]] = defaultdict(dict)
    for run, statement in stated:
        users[statement][run.name] = None
    return [(text, "" if len(who) == total else ", ".join(who)) for text, who in users.items()]


def _warnings(runs: Sequence[Run], collection: Collection) -> list[str]:
    lines = [
        f"{older.name} is the same run as {newer.name} (same configuration and seed) and older; left out."
        for older, newer in collection.superseded
    ]
    dirty = [run.name for run in runs if run.record.code.get("dirty")]
    if dirty:
        lines.append(
            f"{count(len(dirty), 'run')} of {len(runs)} used code that was not committed: {_some(dirty)}."
        )
    commits = {str(run.record.code.get("commit")) for run in runs}
    if len(commits) > 1:
        lines.append(f"The runs come from {len(commits)} commits of the code.")
    devices = {run.record.device for run in runs}
    if len(devices) > 1:
        lines.append(f"Seconds and memory come from different devices ({', '.join(sorted(devices))}).")
    return lines


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
