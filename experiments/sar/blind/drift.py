"""How the kernel drifts as image and kernel are optimised together, on one scene. Writes drift.json; five minutes."""

import json
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sr_lab.backbones.skip import SkipNet
from sr_lab.data.piecewise import PiecewiseScenes
from sr_lab.data.sample import Sample
from sr_lab.degradation.axis_gaussian import AxisGaussians
from sr_lab.degradation.chain import keyed_generator
from sr_lab.degradation.detected import DetectedBlur
from sr_lab.degradation.speckle import Speckle
from sr_lab.losses.speckle import SpeckleTerm
from sr_lab.methods.zero_shot import ZeroShot
from sr_lab.metrics.radar import psnr_db
from sr_lab.priors.fkp import FKP
from sr_lab.priors.spectral.radar import SpectralRadar

# looks, roughness, features of the image network, lr of the kernel's code, its first update, updates, step of the trace
CASES = (
    (4, 0.02, 16, 0.05, 51, 200, 25),
    (4, 0.06, 16, 0.05, 51, 200, 25),
    (4, 0.04, 32, 0.02, 51, 200, 25),
    (1, 0.12, 16, 0.05, 101, 160, 20),
    (4, 0.12, 16, 0.05, 101, 160, 20),
)
SIDE, EXPONENT = 160, 0.5


def widths(kernel: Tensor) -> dict[str, float]:
    """Standard deviations of its mass, pixels."""
    mass, place = kernel[0, 0].double() / kernel.double().sum(), torch.arange(kernel.shape[-1]).double()
    found = {}
    for axis, name in ((1, "azimuth"), (0, "range")):
        along = mass.sum(axis)
        found[name] = round(float((along @ place**2 - (along @ place) ** 2).sqrt()), 2)
    return found


def follow(
    looks: int, roughness: float, width: int, lr: float, first: int, updates: int, step: int
) -> dict[str, Any]:
    """One case."""
    kernels = AxisGaussians(2, size=21, sigma=(0.8, 0.8), azimuth=(2.4, 2.4), tilt=0)
    degradation = DetectedBlur(2, kernels, [Speckle(looks)])
    hr = PiecewiseScenes(1, size=SIDE, seed=77)[0][None]
    degraded = degradation.degrade(hr, keyed_generator(1, "scene0"))
    method = ZeroShot(
        FKP("fkp_sar_x2", lr=lr, first_update=first),
        partial(SkipNet, width=width),
        start=SpectralRadar(),
        iterations=updates,
        ssim_iterations=0,
        term=SpeckleTerm("gamma", looks, roughness=roughness, exponent=EXPONENT),
    )
    method.bind(degradation, 0)
    rows = []
    course = method.begin(Sample(degraded.lr, 2, ["a"], hr, degraded.kernel))
    for number, (loss, image, kernel) in zip(range(1, updates + 1), method.updates(course), strict=False):
        rows.append(
            {
                "update": number,
                "held_out_nll": round(float(loss), 4),
                **widths(kernel),
                "psnr_db": round(float(psnr_db(image, hr)), 2),
            }
        )
    return {
        "looks": looks,
        "roughness": roughness,
        "exponent": EXPONENT,
        "backbone_width": width,
        "prior_lr": lr,
        "first_update": first,
        "side": SIDE,
        "start": {axis: rows[0][axis] for axis in ("azimuth", "range")},
        "chosen": min(rows, key=lambda row: row["held_out_nll"]),
        "trace": rows[step - 1 :: step],
    }


def main() -> None:
    """All cases."""
    warnings.simplefilter("ignore")
    text = json.dumps([follow(*case) for case in CASES], indent=1)
    Path(__file__).with_name("drift.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
