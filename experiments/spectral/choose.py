"""Choose temper and caution of prior=spectral on held-out photographs: the first 12 of BSD400.

Temper decides how right an estimate is, caution what to make of one that may be wrong. So temper is where the mean
kernel PSNR without caution is highest, the three scales alike. Then the solver restores 192x192 px (HR) of
every image, and caution is the least one with which it loses at most ENOUGH dB more than with the best: beyond, the
image gains next to nothing and the kernel goes on losing.

python experiments/spectral/choose.py --prior spectral --out experiments/spectral/choose_spectral.json
python experiments/spectral/choose.py --temper 0.08 --draws 1 --solver usrnet_tiny_published --out published_solver.json
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sr_lab.backbones.usrnet import load_usrnet
from sr_lab.config.build import build
from sr_lab.config.compose import compose, to_plain
from sr_lab.config.paths import data_root
from sr_lab.data.degraded import DegradedImages
from sr_lab.data.images import ImageFolder
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.io.atomic import write_text
from sr_lab.methods.non_blind import solve
from sr_lab.metrics.image import psnr
from sr_lab.metrics.kernel import kernel_psnr
from sr_lab.metrics.protocol import Protocol
from sr_lab.priors.spectral.prior import Spectral
from sr_lab.tracking.facts import code, versions

HELD_OUT, SCALES, SEED = 12, (2, 3, 4), 7
TEMPERS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3)
SLOWER_TEMPERS = (0.03, 0.1, 0.3)  # of the families without a network
CAUTIONS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
ENOUGH = 0.02
SIDE, MARGIN = 192, 24  # HR pixels restored, and those of them along each side that are not compared


def parts(prior: str, scale: int, degradation: str | None = None) -> tuple[Spectral, Degradation]:
    """The prior of a config and a degradation, by default its family's."""
    kernels = degradation or ("line_motion" if prior == "spectral_line" else "gaussian")
    choices = [f"prior={prior}", f"degradation={kernels}", f"scale={scale}"]
    config = to_plain(compose([*choices, "method=fast", "dataset=set5"]))
    return build(config["prior"], "prior"), build(config["degradation"], "degradation")


def samples(degradation: Degradation, draws: int) -> DegradedImages:
    """The held-out photographs, blurred."""
    root = str(data_root() / "natural" / "bsd400")
    return DegradedImages(ImageFolder(root, channels=3, limit=HELD_OUT), degradation, SEED, draws)


def kernels(prior: str, scale: int, tempers: tuple[float, ...], draws: int) -> dict[str, list[float]]:
    """Kernel PSNR of every image and draw at each temper, without caution."""
    spectral, degradation = parts(prior, scale)
    spectral.caution = 0.0
    found: dict[str, list[float]] = {str(temper): [] for temper in tempers}
    data = samples(degradation, draws)
    for index in range(len(data)):
        sample = data[index]
        assert sample.kernel is not None
        for temper in tempers:
            spectral.temper = temper
            spectral.start(sample, degradation, [])
            found[str(temper)].append(kernel_psnr(spectral.kernel(), sample.kernel).item())
    return found


def gaps(prior: str, scale: int, temper: float, draws: int, weights: str) -> dict[str, list[float]]:
    """PSNR that the solver loses by the estimate, at each caution."""
    spectral, degradation = parts(prior, scale)
    spectral.temper = temper
    solver = load_usrnet(weights)
    found: dict[str, list[float]] = {str(caution): [] for caution in CAUTIONS}
    data = samples(degradation, draws)
    for index in range(len(data)):
        sample = data[index]
        assert sample.kernel is not None
        bound = restored(solver, sample, sample.kernel, degradation)
        spectral.start(sample, degradation, [])
        for caution in CAUTIONS:
            kernel = spectral.lowered(torch.tensor([caution]))
            found[str(caution)].append(bound - restored(solver, sample, kernel, degradation))
    return found


def restored(
    solver: torch.nn.Module, sample: Sample, kernel: torch.Tensor, degradation: Degradation
) -> float:
    """PSNR on Y of the middle of an image."""
    assert sample.hr is not None
    scale, side = sample.scale, SIDE // sample.scale
    top, left = ((length - side) // 2 for length in sample.lr.shape[-2:])
    lr = sample.lr[..., top : top + side, left : left + side]
    hr = sample.hr[..., top * scale : top * scale + SIDE, left * scale : left * scale + SIDE]
    sr = solve(solver, lr, kernel, scale, torch.zeros(1), degradation.anchor, phase=degradation.phase)
    return psnr(sr, hr, replace(Protocol.published(scale), border=MARGIN)).item()


def summary(by_scale: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Mean over all scales, and per scale mean and 10th and 90th percentile, of every setting."""
    table = {}
    for setting in next(iter(by_scale.values())):
        row = {"mean": float(np.mean([np.mean(values[setting]) for values in by_scale.values()]))}
        for scale, values in by_scale.items():
            row[f"{scale} mean"] = float(np.mean(values[setting]))
            row[f"{scale} p10"], row[f"{scale} p90"] = np.percentile(values[setting], [10, 90]).tolist()
        table[setting] = row
    return table


def main() -> None:
    """Choose, print, write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--prior", default="spectral", help="name of a config in conf/prior")
    parser.add_argument("--draws", type=int, default=4, help="kernels an image for temper")
    parser.add_argument("--image-draws", type=int, default=2, help="kernels an image for caution")
    parser.add_argument("--temper", type=float, help="take this one and choose caution alone")
    parser.add_argument("--solver", default="usrnet_small", help="weights of the USRNet that caution is for")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tempers = TEMPERS if arguments.prior == "spectral" else SLOWER_TEMPERS
    if arguments.temper is not None:
        tempers = (arguments.temper,)
    by_temper = summary({f"x{s}": kernels(arguments.prior, s, tempers, arguments.draws) for s in SCALES})
    temper = float(max(by_temper, key=lambda setting: by_temper[setting]["mean"]))
    show("temper", by_temper)
    also = temper, arguments.image_draws, arguments.solver
    by_caution = summary({f"x{s}": gaps(arguments.prior, s, *also) for s in SCALES})
    least = min(row["mean"] for row in by_caution.values())
    caution = next(float(key) for key, row in by_caution.items() if row["mean"] <= least + ENOUGH)
    show("caution", by_caution)
    print(f"temper {temper:g}, caution {caution:g}")
    result: dict[str, Any] = {
        "prior": arguments.prior,
        "solver": arguments.solver,
        "draws": arguments.draws,
        "image_draws": arguments.image_draws,
        "temper": temper,
        "caution": caution,
        "kernel_psnr_by_temper": by_temper,
        "psnr_gap_by_caution": by_caution,
        "code": code(),
        "versions": versions(),
    }
    write_text(arguments.out, json.dumps(result, indent=1) + "\n")


def show(name: str, table: dict[str, dict[str, float]]) -> None:
    """Print a table."""
    print(f"| {name} | " + " | ".join(next(iter(table.values()))) + " |")
    for setting, row in table.items():
        print(f"| {setting} | " + " | ".join(f"{value:.2f}" for value in row.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
