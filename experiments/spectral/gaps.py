"""What blind SR behind prior=spectral loses against the true kernel: PSNR on Y over Set5 and Set14.

Every grid point is a run of `sr-lab run experiment=fast`; what is whole already is not run again.

python experiments/spectral/gaps.py --out experiments/spectral/gaps.json --runs runs
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from sr_lab.config.compose import compose, to_plain
from sr_lab.io.atomic import write_text
from sr_lab.run import run
from sr_lab.tracking.facts import code, versions
from sr_lab.tracking.record import Record

SETS = ("set5", "set14")


def record(arguments: argparse.Namespace, dataset: str, scale: int, *choices: str) -> Record:
    """One grid point."""
    overrides = [
        *("experiment=fast", f"dataset={dataset}", f"scale={scale}", *choices),
        *(f"backbone@solver={arguments.solver}", f"dataset.draws={arguments.draws}", f"out={arguments.runs}"),
        *("metrics=[psnr_y,kernel_psnr]", "trainer=cpu", "trainer.threads=1", "tracking=none"),
    ]
    if arguments.limit:
        overrides.append(f"+dataset.images.limit={arguments.limit}")
    found, _ = run(to_plain(compose(overrides)), command="sr-lab run " + " ".join(overrides))
    assert found is not None
    return found


def compared(arguments: argparse.Namespace, scale: int, *choices: str) -> list[dict[str, Any]]:
    """Every image and draw of both sets: its gap, what it was made of, and the seconds."""
    rows = []
    for dataset in SETS:
        blind = record(arguments, dataset, scale, "prior=spectral", *choices)
        bound = record(arguments, dataset, scale, "prior=oracle")
        for image, value in blind.metrics["psnr_y"].per_image.items():
            best = bound.metrics["psnr_y"].per_image[image]
            rows.append(
                {
                    "image": f"{dataset}/{image}",
                    "gap": round(best - value, 4),
                    "psnr_y": round(value, 4),
                    "kernel_psnr": round(blind.metrics["kernel_psnr"].per_image[image], 3),
                    "uncertainty": round(blind.metrics["kernel_uncertainty"].per_image[image], 4),
                    "seconds": blind.images[image].seconds,
                }
            )
    return rows


def main() -> None:
    """Run the grid, print, write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--draws", type=int, default=5, help="kernels an image")
    parser.add_argument("--refine", type=float, nargs="+", default=[0.0], help="values of method.refine")
    parser.add_argument("--solver", default="usrnet_published", help="name of a config in conf/backbone")
    parser.add_argument("--limit", type=int, help="first images of each set alone")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for the runs")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    print(
        "| scale | refine | psnr_y | mean gap | median | worst gap | worst image | s / image |\n"
        + "|---" * 8
        + "|"
    )
    for scale in arguments.scales:
        for refine in arguments.refine:
            rows = compared(arguments, scale, f"method.refine={refine:g}")
            gaps = np.array([row["gap"] for row in rows])
            worst = rows[int(gaps.argmax())]
            found = {
                "psnr_y": float(np.mean([row["psnr_y"] for row in rows])),
                "mean_gap": float(gaps.mean()),
                "median_gap": float(np.median(gaps)),
                "worst_gap": float(gaps.max()),
                "worst_image": worst["image"],
                "seconds": float(np.mean([row["seconds"] for row in rows])),
            }
            results[f"x{scale} refine {refine:g}"] = {**found, "rows": rows}
            cells = [f"{value:.2f}" if isinstance(value, float) else value for value in found.values()]
            print(f"| x{scale} | {refine:g} | " + " | ".join(cells) + " |", flush=True)
    facts = {"draws": arguments.draws, "solver": arguments.solver, "limit": arguments.limit, "threads": 1}
    text = json.dumps({**facts, "results": results, "code": code(), "versions": versions()}, indent=1)
    write_text(arguments.out, text + "\n")


if __name__ == "__main__":
    main()
