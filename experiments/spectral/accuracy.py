"""How well is a blur read off one LR image? Kernel PSNR of prior=spectral and its parts on random kernels.

python experiments/spectral/accuracy.py --out experiments/spectral/accuracy.json
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sr_lab.config.paths import data_root
from sr_lab.data.degraded import DegradedImages
from sr_lab.data.images import ImageFolder
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.corruptions import Quantise
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.io.atomic import write_text
from sr_lab.metrics.kernel import kernel_psnr, zero_kernel_floor
from sr_lab.priors.base import KernelPrior
from sr_lab.priors.spectral.gaussian import typical_shape
from sr_lab.priors.spectral.prior import Spectral
from sr_lab.priors.spectral.shape import render
from sr_lab.tracking.facts import code, versions

SETS = ("set5", "set14")


def measure(prior: KernelPrior, scale: int, draws: int) -> list[dict[str, Any]]:
    """Kernel PSNR and seconds of every image and draw."""
    degradation = Degradation(scale, GaussianKernels(scale), [Quantise("floor")])
    rows = []
    for name in SETS:
        samples = DegradedImages(
            ImageFolder(str(data_root() / "natural" / name), channels=3), degradation, 0, draws
        )
        for index in range(len(samples)):
            sample = samples[index]
            started = time.perf_counter()
            prior.start(sample, degradation, [])
            seconds = time.perf_counter() - started
            assert sample.kernel is not None
            size = sample.kernel.shape[-1]
            typical = render(typical_shape(scale)[None], scale, size)
            rows.append(
                {
                    "image": f"{name}/{sample.image_ids[0]}",
                    "kernel_psnr": kernel_psnr(prior.kernel(), sample.kernel).item(),
                    "typical_kernel": kernel_psnr(typical, sample.kernel).item(),
                    "zero_kernel": zero_kernel_floor(sample.kernel).item(),
                    "true_peak": sample.kernel.max().item(),
                    "peak": prior.kernel().max().item(),
                    "seconds": seconds,
                    "lr_pixels": sample.lr.shape[-1] * sample.lr.shape[-2],
                }
            )
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The distribution in a few numbers."""
    values = np.array([row["kernel_psnr"] for row in rows])
    seconds = np.array([row["seconds"] for row in rows])
    return {
        "mean": values.mean(),
        "median": float(np.median(values)),
        "p10": float(np.percentile(values, 10)),
        "worst": values.min(),
        "typical_kernel": float(np.mean([row["typical_kernel"] for row in rows])),
        "seconds": seconds.mean(),
        "seconds_max": seconds.max(),
    }


def main() -> None:
    """Measure the whole and its parts at every scale, print, write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--draws", type=int, default=5, help="kernels an image")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    parts: dict[str, KernelPrior] = {
        "spectral": Spectral(),
        "without caution": Spectral(caution=0.0),
        "network alone": Spectral(temper=0.0, caution=0.0),
        "spectrum alone": Spectral(weights=None, temper=0.1, caution=0.0),
    }
    result: dict[str, Any] = {"draws": arguments.draws, "threads": 1, "cores": os.cpu_count(), "results": {}}
    print(
        "| scale | estimate | mean | median | p10 | worst | typical kernel | s / image | s max |\n"
        + "|---" * 9
        + "|"
    )
    for scale in (2, 3, 4):
        for name, prior in parts.items():
            rows = measure(prior, scale, arguments.draws)
            found = summary(rows)
            worst = sorted(rows, key=lambda row: row["kernel_psnr"])[:5]
            by_set = {
                each: summary([row for row in rows if row["image"].startswith(each + "/")]) for each in SETS
            }
            result["results"][f"x{scale} {name}"] = {**found, **by_set, "worst_five": worst, "rows": rows}
            cells = " | ".join(f"{value:.2f}" for value in found.values())
            print(f"| x{scale} | {name} | {cells} |", flush=True)
            for each, values in by_set.items():
                print(
                    f"| x{scale} | {name}, {each} | {' | '.join(f'{value:.2f}' for value in values.values())} |"
                )
    write_text(arguments.out, json.dumps({**result, "code": code(), "versions": versions()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
