"""Does refinement through the solver help? PSNR lost against the true kernel on the held-out photographs of choose.py.

The crop that is judged is the crop that the solver's residual was taken of, as in a small image.

python experiments/spectral/refine.py --out experiments/spectral/refine.json
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from choose import SCALES, parts, samples
from torch import Tensor

from sr_lab.backbones.usrnet import load_usrnet
from sr_lab.io.atomic import write_text
from sr_lab.methods.non_blind import solve
from sr_lab.methods.refine import CAUTIONS, FRAME, SIDE, preferred, residual
from sr_lab.metrics.image import psnr
from sr_lab.metrics.protocol import Protocol
from sr_lab.priors.detail import detailed_corner
from sr_lab.tracking.facts import code, versions

WEIGHTS, MIDDLES = (0.0, 4.0, 8.0, 16.0, 32.0, 64.0), (0.0, 0.5, 1.0, 1.5)


def scan(scale: int, draws: int) -> tuple[Tensor, Tensor, list[float]]:
    """Residual and lost PSNR at every caution, (cautions, images), and the seconds of each image's scan."""
    prior, degradation = parts("spectral", scale)
    solver = load_usrnet("usrnet_small")
    rms, lost, seconds = [], [], []
    data = samples(degradation, draws)
    side, judged = SIDE // scale, replace(Protocol.published(scale), border=FRAME)
    for index in range(len(data)):
        sample = data[index]
        assert sample.hr is not None
        assert sample.kernel is not None
        prior.start(sample, degradation, [])
        top, left = detailed_corner(sample.lr, side)
        lr = sample.lr[..., top : top + side, left : left + side]
        hr = sample.hr[..., top * scale : top * scale + SIDE, left * scale : left * scale + SIDE]

        def restore(kernel: Tensor, lr: Tensor = lr) -> Tensor:
            return solve(solver, lr, kernel, scale, torch.zeros(1), degradation.anchor)

        bound = psnr(restore(sample.kernel), hr, judged)
        started = time.perf_counter()
        kernels = [prior.lowered(torch.tensor([caution])) for caution in CAUTIONS]
        tried = [restore(kernel) for kernel in kernels]
        rms.append(
            torch.cat(
                [residual(sr, kernel, lr, degradation) for sr, kernel in zip(tried, kernels, strict=True)]
            )
        )
        seconds.append(time.perf_counter() - started)
        lost.append(torch.cat([bound - psnr(sr, hr, judged) for sr in tried]))
    return torch.stack(rms, 1), torch.stack(lost, 1), seconds


def main() -> None:
    """Scan, weigh, print, write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--draws", type=int, default=2, help="kernels an image")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, Any] = {"draws": arguments.draws, "gaps": {}, "seconds": {}}
    print("| scale | caution | weight | mean gap | worst gap |\n|---|---|---|---|---|")
    for scale in SCALES:
        rms, lost, seconds = scan(scale, arguments.draws)
        result["seconds"][f"x{scale}"] = float(np.mean(seconds))
        for middle in MIDDLES:
            for weight in WEIGHTS:
                chosen = preferred(rms, middle, weight)
                places = [CAUTIONS.index(caution) for caution in chosen.tolist()]
                gaps = lost[places, range(len(places))]
                found = {"mean": gaps.mean().item(), "worst": gaps.max().item()}
                result["gaps"][f"x{scale} caution {middle:g} weight {weight:g}"] = found
                print(
                    f"| x{scale} | {middle:g} | {weight:g} | {found['mean']:.3f} | {found['worst']:.2f} |",
                    flush=True,
                )
    write_text(arguments.out, json.dumps({**result, "code": code(), "versions": versions()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
