"""The course of an optimisation or of a training: columns of a CSV file as line charts."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from sr_lab.report.charts import Chart, draw_lines
from sr_lab.report.wording import metric_title

_POINTS = 200

Trace = dict[str, list[float]]


def read_trace(path: Path, steps: str = "iteration") -> Trace:
    """Read the columns of a trace; a cell that is no number is NaN.

    Args:
        path: CSV.
        steps: the column that must be there.

    Raises:
        ValueError: no such column.
        OSError: the file cannot be read.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or steps not in rows[0]:
        raise ValueError(f"no column `{steps}`")
    return {name: [_float(row.get(name)) for row in rows] for name in rows[0] if name}


def draw_charts(traces: Sequence[tuple[str, int, Trace]], steps: str = "iteration") -> list[Chart]:
    """Draw one chart per column that any trace has.

    Args:
        traces: (name of the run, number of its line style, columns).
        steps: the column that runs to the right.
    """
    columns = dict.fromkeys(name for _, _, trace in traces for name in trace if name not in (steps, "epoch"))
    charts = []
    for column in columns:
        lines = [
            (name, style, _points(trace, steps, column)) for name, style, trace in traces if column in trace
        ]
        lines = [(name, style, points) for name, style, points in lines if points]
        if lines:
            charts.append(draw_lines(metric_title(column), steps, lines))
    return charts


def _points(trace: Trace, steps: str, column: str) -> list[tuple[float, float]]:
    points = [(x, y) for x, y in zip(trace[steps], trace[column], strict=True) if math.isfinite(x + y)]
    step = -(-len(points) // _POINTS) or 1
    return points[:-1][::step] + points[-1:]


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
