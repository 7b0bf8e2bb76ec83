"""`sr-lab runs`: list, filter and compare runs."""

from __future__ import annotations

import csv
import operator
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sr_lab.config.errors import listing, nearest
from sr_lab.errors import UserError
from sr_lab.tracking.store import open_index, query

# longest first: `<=` is not `<` and `=...`
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "=": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
FACTS = ("state", "reason", "name", "signature", "seed", "created", "seconds", "peak_memory_mb", "device")
HIDDEN = ("out", "force", "name")  # of what tells runs apart: where they lie, not what they are
MAX_VARIED, MAX_METRICS = 6, 3


@dataclass
class Run:
    """One row: facts, settings and means by name."""

    directory: str
    facts: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    def value(self, key: str) -> Any:
        """A fact, a metric's mean, or a setting; None if it has no such thing."""
        return self.facts.get(key, self.metrics.get(key, self.settings.get(key)))


def main(
    root: Path,
    filters: Sequence[str],
    *,
    columns: Sequence[str] = (),
    sort: str | None = None,
    diff: bool = False,
    sql: str | None = None,
    as_csv: bool = False,
    rebuild: bool = False,
) -> None:
    """Print a table of the runs below a folder, or the difference of two.

    Raises:
        UserError: no such folder, key or run, or a malformed filter.
    """
    if sql is not None:
        names, rows = query(root, sql)
        show(names, rows, as_csv)
        return
    runs = load(root, rebuild)
    if not runs:
        raise UserError(
            "no run below this folder", where=str(root), fix="do a run first, or name a folder above"
        )
    for text in filters:
        runs = [run for run in runs if _keep(text, runs)(run)]
    if diff:
        if len(runs) != 2:
            fix = "filter until two are left, such as signature=0ff90c9489 seed=0,1"
            raise UserError(
                f"a difference is between two runs, and {len(runs)} answer", where="--diff", fix=fix
            )
        show(["", *(run.directory for run in runs)], difference(*runs), as_csv)
        return
    if sort:
        key = sort.lstrip("-")
        _known(key, runs, "--sort")
        runs.sort(key=lambda run: _order(run.value(key)), reverse=sort.startswith("-"))
    chosen = list(columns) or default_columns(runs)
    for column in columns:
        _known(column, runs, "--columns")
    show(
        ["run", *chosen], [(run.directory, *(run.value(column) for column in chosen)) for run in runs], as_csv
    )


def load(root: Path, rebuild: bool = False) -> list[Run]:
    """All runs below a folder, by directory."""
    with closing(open_index(root, rebuild)) as connection:
        runs = {
            row["directory"]: Run(row["directory"], {key: row[key] for key in FACTS})
            for row in connection.execute("SELECT * FROM runs ORDER BY directory")
        }
        for directory, key, value in connection.execute("SELECT directory, key, value FROM config"):
            runs[directory].settings[key] = value
        for directory, metric, value in connection.execute(
            "SELECT directory, metric, value FROM measures WHERE image = ''"
        ):
            runs[directory].metrics[metric] = value
    return list(runs.values())


def default_columns(runs: Sequence[Run]) -> list[str]:
    """What tells the runs apart, how they ended, and their first metrics."""
    keys = dict.fromkeys(key for run in runs for key in run.settings if key not in HIDDEN)
    varied: dict[tuple[int, ...], str] = {}
    for key in sorted(keys, key=lambda key: key.count(".")):  # of keys that vary together the shortest
        values = [run.settings.get(key) for run in runs]
        if len(set(values)) > 1:
            varied.setdefault(tuple(values.index(value) for value in values), key)
    metrics = dict.fromkeys(name for run in runs for name in run.metrics if "@" not in name)
    facts = ["state", "seconds"] + (["reason"] if any(run.facts["reason"] for run in runs) else [])
    return [*list(varied.values())[:MAX_VARIED], *facts, *list(metrics)[:MAX_METRICS]]


def difference(first: Run, second: Run) -> list[tuple[Any, ...]]:
    """Settings in which two runs differ, then facts and metrics of both."""
    keys = dict.fromkeys([*first.settings, *second.settings])
    rows: list[tuple[Any, ...]] = [
        (key, first.settings.get(key), second.settings.get(key))
        for key in keys
        if key not in HIDDEN and first.settings.get(key) != second.settings.get(key)
    ]
    rows += [
        (key, first.facts[key], second.facts[key]) for key in ("state", "seconds", "peak_memory_mb", "device")
    ]
    names = dict.fromkeys([*first.metrics, *second.metrics])
    return rows + [(name, first.metrics.get(name), second.metrics.get(name)) for name in names]


def show(columns: Sequence[str], rows: Sequence[Sequence[Any]], as_csv: bool) -> None:
    """A table for people, or CSV."""
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *rows])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    console.print(table, highlight=False, markup=False)


def _keep(text: str, runs: Sequence[Run]) -> Callable[[Run], bool]:
    """A filter such as `scale=2,4`, `psnr_y>=30` or `state!=complete`."""
    found = re.match(r"([^=<>!]+)(!=|<=|>=|=|<|>)(.*)", text)
    if found is None:
        fix = "for example scale=4, prior=fkp,softmax, psnr_y>30, state!=complete"
        raise UserError("not a filter", where=text, fix=fix)
    key, sign, wanted = found.groups()
    _known(key, runs, text)
    compare, values = OPERATORS[sign], wanted.split(",") if sign in ("=", "!=") else [wanted]

    def holds(run: Run) -> bool:
        value = run.value(key)
        if value is None:
            return sign == "!="
        try:
            results = [compare(value, type(value)(item)) for item in values]
        except ValueError:
            return sign == "!="
        return all(results) if sign == "!=" else any(results)

    return holds


def _known(key: str, runs: Sequence[Run], where: str) -> None:
    keys = dict.fromkeys([*FACTS, *(name for run in runs for name in (*run.metrics, *run.settings))])
    if runs and key not in keys:
        raise UserError(f"no run has '{key}'" + nearest(key, keys), where=where, fix=listing(keys))


def _order(value: Any) -> tuple[int, Any]:
    """Numbers before words before nothing."""
    return (0, value) if isinstance(value, int | float) else (2, "") if value is None else (1, str(value))


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
