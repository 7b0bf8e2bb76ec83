"""What a warm start is worth: reads the traces of the study's runs and compares them seed by seed.

python experiments/warm_start/summarise.py experiments/warm_start/runs --out experiments/warm_start/warm_start.json
"""

import argparse
import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sr_lab.report.traces import Trace, read_trace
from sr_lab.tracking.record import RESULT, Record

COLD = "cold"
KINDS = (COLD, "control", "warm")


def read_runs(folder: Path) -> dict[str, dict[tuple[str, int], tuple[Record, Trace]]]:
    """Record and trace by prior, then by (kind, seed); the kind is the end of the run's name."""
    found: dict[str, dict[tuple[str, int], tuple[Record, Trace]]] = {}
    for path in sorted(folder.rglob(RESULT)):
        record = Record.read(path.parent)
        kind = record.name.rpartition("_")[2]
        if kind not in KINDS:
            continue
        (files,) = record.images.values()
        trace = read_trace(path.parent / str(files.trace))
        found.setdefault(str(record.labels["prior"]), {})[kind, record.seed] = record, trace
    return found


def first_at(trace: Trace, column: str, level: float) -> float | None:
    """Iteration of the first row that reaches a level, None if none does."""
    rows = zip(trace["iteration"], trace[column], strict=True)
    return next((iteration for iteration, value in rows if value >= level), None)


def row(prior: str, kind: str, seed: int, record: Record, trace: Trace, cold: Trace) -> dict[str, Any]:
    """One run beside the cold run of its seed."""
    made: dict[str, Any] = {"prior": prior, "kind": kind, "seed": seed, "seconds": record.seconds}
    made["iterations"] = trace["iteration"][-1]
    for column in ("kernel_psnr", "psnr_y"):
        made[f"{column}_first"], made[f"{column}_last"] = trace[column][0], trace[column][-1]
        made[f"{column}_reached_at"] = first_at(trace, column, cold[column][-1])
    return made


def mean_text(values: Iterable[float | None], digits: int = 2) -> str:
    """Mean and standard deviation over seeds; how many seeds, where some have no value."""
    every = list(values)
    known = [value for value in every if value is not None and math.isfinite(value)]
    if not known:
        return "never"
    text = f"{statistics.mean(known):.{digits}f}"
    text += f" ({statistics.stdev(known):.{digits}f})" if len(known) > 1 else ""
    return text if len(known) == len(every) else f"{text}, {len(known)} of {len(every)} seeds"


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Means over seeds, with the standard deviation."""
    lines = [
        "| prior | start | iterations | kernel PSNR first | last | reaches cold's last at | DIP PSNR Y last "
        "| reaches cold's last at | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for prior, kind in dict.fromkeys((row["prior"], row["kind"]) for row in rows):
        group = [row for row in rows if (row["prior"], row["kind"]) == (prior, kind)]

        def cell(key: str, digits: int = 2, group: Sequence[dict[str, Any]] = group) -> str:
            return mean_text((row[key] for row in group), digits)

        cells = [
            prior,
            kind,
            f"{group[0]['iterations']:.0f}",
            cell("kernel_psnr_first"),
            cell("kernel_psnr_last"),
            cell("kernel_psnr_reached_at", 0),
            cell("psnr_y_last"),
            cell("psnr_y_reached_at", 0),
            cell("seconds", 0),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Read, compare, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="where run.sh put its runs")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("warm_start.json"))
    arguments = parser.parse_args()
    rows = []
    for prior, runs in read_runs(arguments.folder).items():
        for kind, seed in sorted(runs, key=lambda key: (KINDS.index(key[0]), key[1])):
            if (COLD, seed) not in runs:
                raise SystemExit(f"no cold run of {prior} with seed {seed} below {arguments.folder}")
            rows.append(row(prior, kind, seed, *runs[kind, seed], runs[COLD, seed][1]))
    if not rows:
        raise SystemExit(f"no run of the study below {arguments.folder}; start with run.sh")
    partial = arguments.out.with_suffix(".partial")
    partial.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    partial.replace(arguments.out)
    print(markdown(rows))


if __name__ == "__main__":
    main()
