"""Seconds per DIP-FKP image update: the plain transcription, each lever alone, and all together, in one run.

Every lever runs in its own process beside one of what it is compared with; they take turns, so that a busy
spell of the machine hits both. Forward, backward and both Adam steps are timed, at x4, on noise: speed does
not depend on the picture.

    python experiments/speed/dip_update.py --sizes 128x128 480x320 --flow FKP_x4.pt --out dip_update.json
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FLOW = HERE.parents[2] / "shared" / "weights" / "FKP_x4.pt"
SCALE = 4
THREADS = 2
WARM_UP = 3


def work(name: str, size: tuple[int, int], flow: Path) -> None:
    """Answer each line of stdin with the wall and CPU seconds of one update."""
    import torch
    from levers import LEVERS, build

    torch.set_num_threads(THREADS)
    generator = torch.Generator().manual_seed(0)
    lr = torch.rand(1, 3, size[0] // SCALE, size[1] // SCALE, generator=generator)
    lever = LEVERS[name]
    state = build(lever, lr, SCALE, flow)
    for warm_up in range(WARM_UP):
        state.iteration = lever.start
        state.step()
        if warm_up == WARM_UP - 1:
            print("ready", flush=True)
    for _ in sys.stdin:
        state.iteration = lever.start
        wall, cpu = time.perf_counter(), time.process_time()
        state.step()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"wall": wall, "cpu": cpu, "peak_mb": peak}), flush=True)


class Worker:
    """A process that runs updates on demand."""

    def __init__(self, name: str, size: str, flow: Path) -> None:
        from levers import LEVERS

        env = {**os.environ, **LEVERS[name].env}
        command = [sys.executable, __file__, "--worker", name, "--sizes", size, "--flow", str(flow)]
        self.process = subprocess.Popen(
            command,
            env={key: value for key, value in env.items() if value is not None},
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


def compare(name: str, against: str, size: str, flow: Path, repeats: int) -> dict[str, Any]:
    """Medians of interleaved updates of a lever and of what it is compared with."""
    workers = [Worker(one, size, flow) for one in (against, name)]
    for worker in workers:
        worker.wait()
    rounds = [[worker.update() for worker in workers] for _ in range(repeats)]
    for worker in workers:
        worker.close()
    row: dict[str, Any] = {"lever": name, "against": against, "size": size, "load": os.getloadavg()[0]}
    for clock in ("wall", "cpu"):
        before, after = (statistics.median(pair[i][clock] for pair in rounds) for i in (0, 1))
        row |= {f"{clock}_against": before, clock: after, f"{clock}_ratio": before / after}
    return row | {"peak_mb_against": rounds[-1][0]["peak_mb"], "peak_mb": rounds[-1][1]["peak_mb"]}


def markdown(rows: list[dict[str, Any]]) -> str:
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


def main() -> None:
    """Run the comparison and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="+", default=["128x128", "480x320"], help="HR sizes, HxW")
    parser.add_argument("--levers", nargs="+", help="names of levers; all by default")
    parser.add_argument("--repeats", type=int, default=5, help="timed updates of each")
    parser.add_argument("--flow", type=Path, default=FLOW, help="the published FKP_x4.pt")
    parser.add_argument("--out", type=Path, default=HERE / "dip_update.json")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        height, width = map(int, args.sizes[0].split("x"))
        return work(args.worker, (height, width), args.flow)

    import torch
    from levers import LEVERS, PLAIN

    # spinning threads are one of the levers; elsewhere they would make a busy machine's figures worthless
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    names = args.levers or [name for name in LEVERS if name not in (PLAIN, "plain, kernel frozen")]
    rows = []
    for size in args.sizes:
        for name in names:
            rows.append(compare(name, LEVERS[name].against, size, args.flow, args.repeats))
            print(json.dumps(rows[-1]), flush=True)
    record = {
        "command": " ".join(["python", "experiments/speed/dip_update.py", *sys.argv[1:]]),
        "threads": THREADS,
        "repeats": args.repeats,
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "rows": rows,
    }
    partial = args.out.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1) + "\n")
    partial.replace(args.out)
    print(markdown(rows))
    return None


if __name__ == "__main__":
    main()
