"""Peak memory of one attention against the number of pixels: ESSA's order of products, and the one through all pairs.

Every size runs in a process of its own, on one thread, without gradients. The pairwise form computes the same result by
(Q K^T) v, whose matrix has as many entries as there are pairs of pixels; it stops at the size named by --pairs.

    python experiments/speed/attention_memory.py --out experiments/speed/attention_memory.json
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SIDES = [16, 32, 64, 128, 256, 512, 1024]
LINEAR, PAIRWISE = "essa", "pairwise"


def pairwise(layer: Any, tokens: Any) -> Any:
    """The published attention with its n x n matrix."""
    import torch
    from torch.nn import functional as F

    q, k, v = layer.lnqkv(tokens).chunk(3, dim=2)
    q, k = (x - x.mean(2, keepdim=True) for x in (q, k))
    q, k = (x.square() / (x.square().sum(2, keepdim=True) + 1e-7) for x in (q, k))
    matrix = F.normalize(q, dim=2) @ F.normalize(k, dim=1).mT
    return layer.ln(torch.baddbmm(v, matrix, v, alpha=q.shape[1] ** -0.5))


def work(what: str, side: int, width: int) -> dict[str, float]:
    """Megabytes that one call adds to what the process held, and its CPU seconds."""
    import torch

    from sr_lab.backbones.essaformer import SpectralAttention

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layer = SpectralAttention(width)
    call: Callable[[Any], Any] = layer if what == LINEAR else lambda tokens: pairwise(layer, tokens)
    with torch.no_grad():
        call(torch.rand(1, 16, width))
        tokens = torch.rand(1, side * side, width)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        cpu = time.process_time()
        call(tokens)
        cpu = time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_s": cpu, "added_mb": peak - before, "input_mb": side * side * width * 4 / 2**20}


def measure(what: str, side: int, width: int) -> dict[str, Any]:
    """One size in a process of its own."""
    command = [sys.executable, __file__, "--worker", what, "--sides", str(side), "--width", str(width)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    ended = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
    row: dict[str, Any] = {"what": what, "side": side, "pixels": side * side, "width": width}
    if ended.returncode:
        return row | {"failed": ended.returncode}  # -9: no memory left
    return row | json.loads(ended.stdout.splitlines()[-1])


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Megabytes against pixels, log-log."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    for what, label in ((LINEAR, "K^T v first (ESSA)"), (PAIRWISE, "all pairs of pixels")):
        chosen = [row for row in rows if row["what"] == what and "failed" not in row]
        axes.loglog([row["pixels"] for row in chosen], [row["added_mb"] for row in chosen], "o-", label=label)
    axes.set_xlabel("pixels")
    axes.set_ylabel("memory that one attention adds, MB")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, print as it comes, write JSON and a figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sides", nargs="+", type=int, default=SIDES)
    parser.add_argument("--pairs", type=int, default=128, help="largest side of the pairwise form")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--out", type=Path, default=HERE / "attention_memory.json")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(work(args.worker, args.sides[0], args.width)))
        return
    from sr_lab.io.atomic import write_text
    from sr_lab.tracking.facts import code, versions

    rows: list[dict[str, Any]] = []
    for what in (LINEAR, PAIRWISE):
        for side in args.sides:
            if what == LINEAR or side <= args.pairs:
                rows.append(measure(what, side, args.width))
                print(json.dumps(rows[-1]), flush=True)
    record = {
        "command": " ".join(["python", "experiments/speed/attention_memory.py", *sys.argv[1:]]),
        "rows": rows,
        "code": code(),
        "versions": versions(),
    }
    write_text(args.out, json.dumps(record, indent=1) + "\n")
    draw(rows, args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
