"""Seconds and peak memory against the size of the image: the spectral estimate, fast blind SR, one DIP-FKP update.

Every size runs in a process of its own on one thread. The image is a photograph, mirrored until it is large enough.

    python experiments/speed/cost_against_size.py --out experiments/speed/cost_against_size.json
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SCALE = 4
# sides: of the LR image for the estimate, of the SR image for the others
SIDES = {
    "estimate": [64, 128, 256, 512, 1024, 2048, 4096],
    "fast": [64, 128, 256, 512, 1024, 2048, 4096],
    "dip_update": [64, 128, 256, 512, 1024],
}
WHAT = {
    "estimate": ("spectral estimate", "LR side"),
    "fast": ("fast: estimate and solver", "SR side"),
    "dip_update": ("one DIP-FKP update", "SR side"),
}


def photograph(side: int) -> Any:
    """A photograph of side x side pixels, (1, 3, side, side)."""
    import numpy as np
    import torch
    from skimage import data

    pixels = data.astronaut().astype(np.float32) / 255
    beyond = max(0, side - len(pixels))
    larger = np.pad(pixels, ((0, beyond), (0, beyond), (0, 0)), mode="symmetric")
    return torch.from_numpy(np.ascontiguousarray(larger[:side, :side].transpose(2, 0, 1)))[None]


def estimate(side: int) -> Callable[[], None]:
    """The kernel of an LR image."""
    from sr_lab.data.sample import Sample
    from sr_lab.degradation.chain import Degradation
    from sr_lab.degradation.gaussian import GaussianKernels
    from sr_lab.priors.spectral.prior import Spectral

    prior, degradation = Spectral(), Degradation(SCALE, GaussianKernels(SCALE))
    sample = Sample(photograph(side), SCALE, ["photograph"])
    return lambda: prior.start(sample, degradation, [])


def fast(side: int) -> Callable[[], None]:
    """What `sr-lab upscale` does between reading and writing; the result is not kept."""
    from sr_lab.upscale import Options, Upscaler

    upscaler = Upscaler(Options(SCALE, Path("nowhere"), device="cpu"))
    lr = photograph(side // SCALE)

    def restore() -> None:
        for _ in upscaler.restorer.restore(lr, "photograph")[0]:
            pass

    return restore


def dip_update(side: int) -> Callable[[], None]:
    """UPDATES iterations of our DIP-FKP loop, after the kernel is let go."""
    from sr_lab.config.compose import compose, to_plain
    from sr_lab.config.schema import validate, without_unused
    from sr_lab.data.sample import Sample
    from sr_lab.run import method_of, parts_of

    counts = [f"method.iterations={UPDATES}", "method.ssim_iterations=0", "prior.first_update=1"]
    config = to_plain(compose(["experiment=dip_fkp", "solver=null", f"scale={SCALE}", *counts]))
    settings = validate(without_unused(config))
    method = method_of(settings, parts_of(settings))
    sample = Sample(photograph(side // SCALE), SCALE, ["photograph"])
    return lambda: method.estimate(sample)


UPDATES = 5
PARTS: dict[str, Callable[[int], Callable[[], None]]] = {
    "estimate": estimate,
    "fast": fast,
    "dip_update": dip_update,
}


def work(what: str, side: int, repeats: int) -> dict[str, float]:
    """Median seconds of repeats after one to warm up, and the process's memory before and at its peak."""
    import torch

    torch.set_num_threads(1)
    do = PARTS[what](side)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    do()
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        do()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    share = 1 / UPDATES if what == "dip_update" else 1.0
    return {
        "wall_s": statistics.median(walls) * share,
        "cpu_s": statistics.median(cpus) * share,
        "mb_before": before,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure(what: str, side: int, repeats: int) -> dict[str, Any]:
    """One size in a process of its own."""
    command = [sys.executable, __file__, "--worker", what, "--sides", str(side), "--repeats", str(repeats)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    ended = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
    row: dict[str, Any] = {"what": what, "side": side, "load": os.getloadavg()[0]}
    if ended.returncode:
        return row | {"failed": ended.returncode}  # -9: no memory left
    return row | json.loads(ended.stdout.splitlines()[-1])


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Seconds and megabytes above the start, log-log."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, key, label in zip(
        figure.subplots(1, 2),
        ("cpu_s", "added"),
        ("CPU seconds", "peak memory above the start, MB"),
        strict=True,
    ):
        for what, (name, side) in WHAT.items():
            chosen = [row for row in rows if row["what"] == what and "failed" not in row]
            values = [row["peak_mb"] - row["mb_before"] if key == "added" else row[key] for row in chosen]
            axes.loglog([row["side"] for row in chosen], values, "o-", label=f"{name} ({side})")
        axes.set_xscale("log", base=2)
        axes.set_xlabel("side of the image, px")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, print as it comes, write JSON and a figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--sides", nargs="+", type=int, help="in place of each part's own")
    parser.add_argument("--largest", type=int, default=4096, help="leave larger sides out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "cost_against_size.json")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(work(args.worker, args.sides[0], args.repeats)))
        return
    import torch

    from sr_lab.io.atomic import write_text
    from sr_lab.tracking.facts import code, versions

    rows: list[dict[str, Any]] = []
    for what in args.parts:
        for side in args.sides or SIDES[what]:
            if side <= args.largest:
                rows.append(measure(what, side, args.repeats if side < 2048 else 1))
                print(json.dumps(rows[-1]), flush=True)
    record = {
        "command": " ".join(["python", "experiments/speed/cost_against_size.py", *sys.argv[1:]]),
        "scale": SCALE,
        "threads": 1,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "rows": rows,
        "code": code(),
        "versions": versions(),
    }
    write_text(args.out, json.dumps(record, indent=1) + "\n")
    draw(rows, args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
