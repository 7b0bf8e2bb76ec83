"""Training curves of the runs that were fitted, a line per run."""

from __future__ import annotations

from dataclasses import dataclass

from sr_lab.report.charts import Chart, Entry, line_class
from sr_lab.report.files import Files
from sr_lab.report.table import Table
from sr_lab.report.traces import draw_charts

CURVES = ("curves/metrics.csv", "curves.csv")  # of a run, and of one kept in a study


@dataclass(frozen=True)
class Training:
    """Charts against the step, a line per run."""

    charts: list[Chart]
    legend: list[Entry]
    faults: list[str]


def training_curves(table: Table) -> Training:
    """Read what the trainer logged of every run that has a log; runs of one row share a colour."""
    files = Files()
    traces = []
    for style, row in enumerate(table.rows):
        for run in row.group.runs:
            name = next((name for name in CURVES if (run.folder / name).is_file()), None)
            trace = files.trace(run, name, "step")
            if trace is not None:
                title = " · ".join(part for part in (row.setting, row.title) if part)
                seed = f" · seed {run.record.seed}" if len(row.group.runs) > 1 else ""
                traces.append((title + seed, style, trace))
    legend = [Entry(name, line_class(style)) for name, style, _ in traces]
    return Training(draw_charts(traces, "step"), legend, files.faults)
