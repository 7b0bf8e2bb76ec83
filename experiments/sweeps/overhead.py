"""What a job of a sweep costs besides its run, and how long a large grid takes to validate.

    python experiments/sweeps/overhead.py --out experiments/sweeps/overhead.json

Runs a grid of tiny bicubic jobs with each launcher of this machine, then freezes a grid of 500 cells.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from sr_lab.io.atomic import write_json
from sr_lab.sweep.freeze import freeze_all, freezer
from sr_lab.sweep.overrides import expand, labels

JOBS = 6
TINY = [
    "experiment=bicubic", "trainer=cpu", "tracking=none", "dataset.images.names=[cat]",
    "dataset.images.crop=[100,100,64,64]",
]  # fmt: skip
GRID = [
    "experiment=smoke,double_dip,dip_softmax,non_blind,bicubic", "scale=2,3,4", "trainer=cpu",
    "degradation.kernels.recentre=true,false", "dataset.seed=1,2", "seed=range(0,9)",
]  # fmt: skip


def cpu_of_children() -> float:
    """Of processes that have ended, theirs included: what a busy machine does not change."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_of_running_children() -> float:
    """Of processes at work."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(time.user + time.system for time in times)


def launch(launcher: list[str]) -> dict[str, Any]:
    """A grid of tiny jobs: wall time, and of each job what its run itself does not account for."""
    with tempfile.TemporaryDirectory() as folder:
        started, before = time.perf_counter(), cpu_of_children()
        seeds = f"seed=range(0,{JOBS})"
        command = [sys.executable, "-m", "sr_lab", "run", "-m", *TINY, seeds, f"out={folder}", *launcher]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall = time.perf_counter() - started
        overheads = []
        for path in Path(folder).rglob("result.json"):
            status = json.loads((path.parent / "status.json").read_text())
            overheads.append(status["seconds"] - json.loads(path.read_text())["seconds"])
    return {
        "jobs": len(overheads),
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu_of_children() - before, 1),
        "overhead_seconds_a_job": {
            "median": round(statistics.median(overheads), 2),
            "least": round(min(overheads), 2),
            "greatest": round(max(overheads), 2),
        },
    }


def validate() -> dict[str, Any]:
    """Freezing of a large grid, the start of the validating process apart."""
    cells = expand(GRID)[:500]
    with freezer() as freeze:
        started = time.perf_counter()
        freeze(cells[0])
        ready, before = time.perf_counter(), cpu_of_running_children()
        jobs = freeze_all(freeze, cells, labels(cells))
        done, cpu = time.perf_counter(), cpu_of_running_children() - before
    return {
        "cells": len(cells),
        "jobs": len(jobs),
        "start_seconds": round(ready - started, 1),
        "seconds": round(done - ready, 1),
        "cpu_seconds": round(cpu, 1),
        "milliseconds_a_cell": round(1000 * (done - ready) / len(cells), 1),
    }


def main() -> None:
    """Measure all and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    record = {
        "command": f"python {' '.join(sys.argv)}",
        "machine": {
            "cpu": model[1] if model else "",
            "cores": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 2),
        },
        "validate": validate(),
        "local": launch(["sweep.slots=1"]),
        "in_process": launch(["sweep=in_process"]),
    }
    write_json(arguments.out, record)
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
