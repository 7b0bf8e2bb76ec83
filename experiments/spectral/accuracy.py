"""How well is a blur read off one LR image? Kernel PSNR of prior=spectral, its parts and its families.

python experiments/spectral/accuracy.py --out experiments/spectral/accuracy.json
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from choose import parts

from sr_lab.config.paths import data_root
from sr_lab.data.degraded import DegradedImages
from sr_lab.data.images import ImageFolder
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.io.atomic import write_text
from sr_lab.metrics.kernel import kernel_psnr, zero_kernel_floor
from sr_lab.priors.spectral.prior import Spectral
from sr_lab.tracking.facts import code, versions

SETS = ("set5", "set14")
# what is measured: label, prior, degradation, scales, and what differs from the prior's config
ESTIMATES: tuple[tuple[str, str, str, tuple[int, ...], dict[str, Any]], ...] = (
    ("spectral", "spectral", "gaussian", (2, 3, 4), {}),
    ("without caution", "spectral", "gaussian", (2, 3, 4), {"caution": 0.0}),
    ("network alone", "spectral", "gaussian", (2, 3, 4), {"caution": 0.0, "temper": 0.0}),
    ("spectrum alone", "spectral", "gaussian", (2, 3, 4), {"caution": 0.0, "net": None}),
    ("flow's code", "spectral_flow", "gaussian", (2, 3, 4), {}),
    ("line", "spectral_line", "line_motion", (2, 4), {}),
    ("Gaussian on lines", "spectral", "line_motion", (2, 4), {}),
)


def test_set(name: str, degradation: Degradation, draws: int) -> DegradedImages:
    """A test set, blurred."""
    root = str(data_root() / "natural" / name)
    return DegradedImages(ImageFolder(root, channels=3), degradation, 0, draws)


def measure(prior: Spectral, degradation: Degradation, draws: int) -> list[dict[str, Any]]:
    """Kernel PSNR and CPU seconds of every image and draw."""
    assert degradation.kernels is not None
    # what to assume of an image without looking at it: the mean of the kernels that may come
    mean = degradation.kernels.sample(500, torch.Generator().manual_seed(0)).mean(0, keepdim=True)
    rows = []
    for name in SETS:
        data = test_set(name, degradation, draws)
        for index in range(len(data)):
            sample = data[index]
            assert sample.kernel is not None
            started = time.process_time()
            prior.start(sample, degradation, [])
            seconds = time.process_time() - started
            rows.append(
                {
                    "image": f"{name}/{sample.image_ids[0]}",
                    "kernel_psnr": kernel_psnr(prior.kernel(), sample.kernel).item(),
                    "mean_kernel": kernel_psnr(mean, sample.kernel).item(),
                    "zero_kernel": zero_kernel_floor(sample.kernel).item(),
                    "true_peak": sample.kernel.max().item(),
                    "peak": prior.kernel().max().item(),
                    "uncertainty": prior.uncertainty().item(),
                    "informed": prior.estimates[0].informed,
                    "seconds": seconds,
                }
            )
    return [{key: round(v, 4) if isinstance(v, float) else v for key, v in row.items()} for row in rows]


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The distribution in a few numbers."""
    values = np.array([row["kernel_psnr"] for row in rows])
    seconds = np.array([row["seconds"] for row in rows])
    found = {
        "mean": values.mean(),
        "median": np.median(values),
        "p10": np.percentile(values, 10),
        "worst": values.min(),
        "mean_kernel": np.mean([row["mean_kernel"] for row in rows]),
        "cpu_seconds": seconds.mean(),
        "cpu_seconds_max": seconds.max(),
    }
    return {key: round(float(value), 3) for key, value in found.items()}


def seconds_at(side: int) -> dict[str, float]:
    """CPU seconds of one image of side x side LR pixels at x4, the second of two goes."""
    found = {}
    for name in ("spectral", "spectral_line", "spectral_flow"):
        prior, degradation = parts(name, 4)
        lr = test_set("set14", degradation, 1)[13].lr
        rows, columns = (-(-side // length) for length in lr.shape[-2:])
        lr = torch.cat([lr, lr.flip(-1)], -1).repeat(1, 1, rows, columns)[..., :side, :side].contiguous()
        for _ in range(2):
            started = time.process_time()
            prior.start(Sample(lr, 4, ["large"]), degradation, [])
            found[name] = round(time.process_time() - started, 3)
    return found


def main() -> None:
    """Measure every estimate at its scales, print, write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--draws", type=int, default=5, help="kernels an image")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    facts = {"draws": arguments.draws, "threads": 1, "cpu_seconds_at_512": seconds_at(512)}
    results: dict[str, Any] = {}
    for label, name, degraded, scales, options in ESTIMATES:
        for scale in scales:
            prior, degradation = parts(name, scale, degraded)
            for key, value in options.items():
                setattr(prior, key, value)
            rows = measure(prior, degradation, arguments.draws)
            by_set = {
                each: summary([row for row in rows if row["image"].startswith(each + "/")]) for each in SETS
            }
            found = summary(rows)
            results[f"x{scale} {label}"] = {**found, **by_set, "rows": rows}
            if len(results) == 1:
                print("| scale | estimate | " + " | ".join(found) + " |")
            print(
                f"| x{scale} | {label} | " + " | ".join(f"{value:.2f}" for value in found.values()),
                flush=True,
            )
            # after every estimate: what an interrupted run has measured is kept
            record = {**facts, "results": results, "code": code(), "versions": versions()}
            write_text(arguments.out, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
