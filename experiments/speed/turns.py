"""Timing of updates by turns: each contender in a process of its own, so that a busy spell hits all of them."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

SCALE = 4
THREADS = 2
WARM_UP = 3


def serve(update: Callable[[], None], updates: int = 1) -> None:
    """Answer each line of stdin with the wall and CPU seconds of one update.

    Args:
        update: called to be timed.
        updates: that one call makes; the seconds are divided by it.
    """
    for _ in range(WARM_UP):
        update()
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        update()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"wall": wall / updates, "cpu": cpu / updates, "peak_mb": peak}), flush=True)


class Worker:
    """A process that runs updates on demand.

    Args:
        name: for messages.
        arguments: of the interpreter: a script that calls `serve`, and what tells it to.
        env: variables over those of this process; None unsets.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], env: Mapping[str, str | None] | None = None
    ) -> None:
        variables = {**os.environ, **(env or {})}
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            env={key: value for key, value in variables.items() if value is not None},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.name = name

    def wait(self) -> None:
        """Until it has warmed up."""
        if self.process.stdout is None or self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"the process of '{self.name}' did not start")

    def update(self) -> dict[str, float]:
        """Time one update."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def compare(against: Worker, worker: Worker, size: str, repeats: int) -> dict[str, Any]:
    """Medians of interleaved updates of a contender and of what it is compared with."""
    workers = (against, worker)
    for one in workers:
        one.wait()
    rounds = [[one.update() for one in workers] for _ in range(repeats)]
    for one in workers:
        one.close()
    row: dict[str, Any] = {
        "lever": worker.name,
        "against": against.name,
        "size": size,
        "load": os.getloadavg()[0],
    }
    for clock in ("wall", "cpu"):
        before, after = (statistics.median(pair[i][clock] for pair in rounds) for i in (0, 1))
        row |= {f"{clock}_against": before, clock: after, f"{clock}_ratio": before / after}
    return row | {"peak_mb_against": rounds[-1][0]["peak_mb"], "peak_mb": rounds[-1][1]["peak_mb"]}


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of one run."""
    lines = [
        "| size | lever | against | s before | s | wall ratio | CPU ratio | peak MB before | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            *(row[key] for key in ("size", "lever", "against")),
            *(f"{row[key]:.3f}" for key in ("wall_against", "wall")),
            *(f"{row[key]:.2f}" for key in ("wall_ratio", "cpu_ratio")),
            *(f"{row[key]:.0f}" for key in ("peak_mb_against", "peak_mb")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_record(out: Path, rows: Sequence[Mapping[str, Any]], repeats: int) -> None:
    """Rows with the command and the machine that made them, whole or not at all."""
    import torch

    record = {
        "command": " ".join(["python", f"experiments/speed/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "threads": THREADS,
        "repeats": repeats,
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "rows": rows,
    }
    partial = out.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1) + "\n")
    partial.replace(out)
