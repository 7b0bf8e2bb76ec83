"""The files of a report: one page that carries everything, the same as Markdown and LaTeX, and the raw numbers."""

from __future__ import annotations

import csv
import io
import os
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from sr_lab import __version__
from sr_lab.io.atomic import write_text
from sr_lab.report.aggregate import finite, group_runs
from sr_lab.report.collection import Run, collect
from sr_lab.report.effects import READING as EFFECTS_READING
from sr_lab.report.effects import find_grids
from sr_lab.report.failures import find_failures
from sr_lab.report.gallery import MAX_IMAGES, build_gallery
from sr_lab.report.latex import to_latex
from sr_lab.report.markdown import to_markdown
from sr_lab.report.paired import find_baseline
from sr_lab.report.plots import image_by_image, quality_against_time
from sr_lab.report.provenance import trace_back
from sr_lab.report.table import Table, build_table
from sr_lab.report.training import training_curves
from sr_lab.report.verdicts import READING as VERDICTS_READING
from sr_lab.report.verdicts import judge
from sr_lab.report.wording import count, span_of_days


@dataclass(frozen=True)
class Report:
    """What was written."""

    html: Path
    markdown: Path
    csv: Path
    latex: Path


def write_report(root: Path, out: Path | None = None, baseline: Mapping[str, str] | None = None) -> Report:
    """Write `report.html`, `report.md`, `results.csv` and `results.tex` from every record below a folder.

    The page needs no other file and no network. The same records give the same bytes.

    Args:
        root: searched to the bottom for records.
        out: folder to write to; `root` itself if None.
        baseline: labels of the configuration that the others of its block are compared with, image by image.

    Raises:
        UserError: no folder, no readable record in it, no such baseline, or the files cannot be made.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    out = out or root
    collection = collect(root)
    table = build_table(group_runs(collection.runs))
    runs = [run for row in table.rows for run in row.group.runs]
    verdicts = judge(table, baseline) if baseline else []
    against = ", ".join(f"{key}={value}" for key, value in (baseline or {}).items())
    references = find_baseline([row.group for row in table.rows], baseline) if baseline else []
    provenance = trace_back(table, collection)
    failures = find_failures(root)
    grids = find_grids(table)
    names = {run.record.name for run in runs}
    title = names.pop() if len(names) == 1 else root.resolve().name
    facts = _facts(table, runs, len(failures))
    report = Report(out / "report.html", out / "report.md", out / "results.csv", out / "results.tex")

    shown = {
        "gallery": build_gallery(table),
        "tradeoff": quality_against_time(table),
        "scatter": image_by_image(
            table, [row for row in table.rows if any(row.group is one for one in references)]
        ),
        "training": training_curves(table),
        "verdicts": verdicts,
        "grids": grids,
        "failures": failures,
        "unreadable": collection.unreadable,
        "provenance": provenance,
    }
    environment = Environment(
        loader=PackageLoader("sr_lab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # the page's one script is known by its hash, so that no name in a record can become another
    script = Markup(resources.files("sr_lab.report").joinpath("templates", "report.js").read_text("utf-8"))
    page = environment.get_template("report.html.j2").render(
        **shown,
        title=title,
        facts=facts,
        table=table,
        against=against,
        verdict_reading=VERDICTS_READING,
        effects_reading=EFFECTS_READING,
        several_devices=len({run.record.device for run in runs}) > 1,
        sections=_sections(shown),
        script=script,
        script_hash="sha256-" + b64encode(sha256(script.encode()).digest()).decode(),
        version=__version__,
    )
    figures = list(_figures(table, out))
    text = to_markdown(
        title,
        facts,
        table,
        provenance,
        figures[:MAX_IMAGES],
        collection.unreadable,
        failures,
        verdicts,
        against,
        grids,
    )
    write_text(report.csv, results_csv(runs))
    write_text(report.latex, to_latex(title, table, verdicts, against))
    write_text(report.markdown, text)
    write_text(report.html, page)
    return report


def _sections(shown: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(id, name) of the sections that the page has."""
    known = [
        ("results", "Results", True),
        ("failed", "Failed runs", shown["failures"]),
        ("comparison", "Comparison", shown["verdicts"]),
        ("effects", "Effects", shown["grids"]),
        ("time", "Time", shown["tradeoff"]),
        ("by-image", "By image", shown["scatter"]),
        ("training", "Training", shown["training"].charts),
        ("images", "Images", shown["gallery"].exhibits),
        ("notes", "Notes", shown["provenance"].notes),
        ("runs", "Runs", True),
        ("unreadable", "Unreadable", shown["unreadable"]),
    ]
    return [(name, title) for name, title, content in known if content]


def results_csv(runs: Sequence[Run]) -> str:
    """One line per run, image and metric; a metric without values per image has one line without an image.

    Columns: run, name, signature, seed, the labels, image, metric, value, unit, higher_is_better, seconds (of
    the image), protocol.
    """
    labels = list(dict.fromkeys(key for run in runs for key in run.record.labels))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    measured = ["image", "metric", "value", "unit", "higher_is_better", "seconds", "protocol"]
    writer.writerow(["run", "name", "signature", "seed", *labels, *measured])
    for run in runs:
        record = run.record
        head = [run.name, record.name, record.signature, record.seed]
        head += [record.labels.get(label, "") for label in labels]
        for metric, m in record.metrics.items():
            for image, value in finite(m.per_image or {"": m.mean}).items():
                seconds = record.images[image].seconds if image in record.images else ""
                line = [image, metric, value, m.unit, m.higher_is_better, seconds, m.protocol]
                writer.writerow([*head, *line])
    return buffer.getvalue()


def _facts(table: Table, runs: Sequence[Run], failures: int) -> list[tuple[str, str]]:
    seeds = sorted({run.record.seed for run in runs})
    groups = len(table.rows)
    return [
        *table.constants.items(),
        ("runs", f"{count(len(runs), 'run')} of {count(groups, 'configuration')}, {table.scope} each"),
        *([("failed", count(failures, "run"))] if failures else []),
        ("seeds", ", ".join(map(str, seeds))),
        ("date", span_of_days(run.record.created for run in runs)),
    ]


def _figures(table: Table, out: Path) -> Iterable[tuple[str, str]]:
    """Side-by-side figures that lie beside the records, by image and row."""
    for row in table.rows:
        run = row.group.runs[0]
        for image, files in run.record.images.items():
            if files.figure and (run.folder / files.figure).is_file():
                path = Path(os.path.relpath(run.folder / files.figure, out)).as_posix()
                yield f"{image}: {row.setting} {row.title}".replace("  ", " "), path
