"""One kernel or a field? PSNR of fast blind SR with each, and with the true field, on varying and constant blurs.

python experiments/varying_blur/compare.py --blurs radial --out experiments/varying_blur/radial.json
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sr_lab.backbones.usrnet import USRNet, load_usrnet
from sr_lab.config.paths import data_root
from sr_lab.data.degraded import DegradedImages
from sr_lab.data.images import ImageFolder
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation, keyed_generator
from sr_lab.degradation.corruptions import Quantise
from sr_lab.degradation.gaussian_field import Field, GaussianField, VaryingBlur
from sr_lab.io.atomic import write_text
from sr_lab.methods.non_blind import restored_in_tiles
from sr_lab.metrics.image import psnr
from sr_lab.metrics.protocol import Protocol
from sr_lab.priors.base import KernelField
from sr_lab.priors.spectral.field import SpectralField
from sr_lab.tracking.facts import code, versions

SEED = 1
# image numbers; the smoothing's constants were chosen on the first 4 and 8 of Set14 and BSD400
SETS = {"set5": range(5), "set14": range(4, 7), "bsd400": range(8, 11)}
BLURS: dict[str, dict[str, Any]] = {
    "constant": {"growth": (1, 1)},
    "radial": {"growth": (4, 9), "pattern": "radial"},
    "linear": {"growth": (4, 9), "pattern": "linear"},
}


class Known(KernelField):
    """Kernels that need no estimate."""

    def __init__(self, at: Callable[[float, float], Tensor]) -> None:
        super().__init__()
        self.at = at

    @property
    def varies(self) -> bool:
        """Everywhere."""
        return True

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """They are known."""

    def kernel(self) -> Tensor:
        """The kernel in the middle."""
        return self.at(0.5, 0.5)

    def kernel_at(self, y: float, x: float) -> Tensor:
        """At a relative place."""
        return self.at(y, x)


def truth_of(field: Field) -> Known:
    """The field that an image went through."""

    def at(y: float, x: float) -> Tensor:
        place = torch.tensor([y, x], dtype=torch.float64)
        return field.kernels(place[:1], place[1:])

    return Known(at)


def compare(sample: Sample, chain: VaryingBlur, prior: SpectralField, solver: USRNet) -> dict[str, Any]:
    """PSNR Y of one image restored with one kernel, in large and small tiles, and with the fields."""
    assert sample.hr is not None
    started = time.process_time()
    prior.start(sample, chain, [])
    estimated = time.process_time() - started
    truth = truth_of(chain.fields.draw(1, keyed_generator(SEED, sample.image_ids[0])))
    row: dict[str, Any] = {"estimate_s": estimated, "constant": prior.constant[0], "varies": prior.varies}
    one = prior.kernel()
    choices = {"one": one, "one_in_small_tiles": Known(lambda y, x: one), "field": prior, "true": truth}
    for name, kernel in choices.items():
        started = time.process_time()
        if name == "field" and not prior.varies:  # the same in larger tiles
            row |= {"field": row["one"], "field_s": row["one_s"]}
            continue
        rows = restored_in_tiles(solver, sample.lr, kernel, sample.scale, torch.zeros(1), chain)
        sr = torch.cat(list(rows), -2)
        row[name] = psnr(sr, sample.hr, Protocol.published(sample.scale)).item()
        row[f"{name}_s"] = time.process_time() - started
    return row


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means, and how the field changes PSNR."""
    gain = np.array([row["field"] - row["one"] for row in rows])
    means = {
        name: float(np.mean([row[name] for row in rows]))
        for name in ("one", "one_in_small_tiles", "field", "true")
    }
    seconds = float(np.mean([row["estimate_s"] + row["field_s"] for row in rows]))
    spread = {"gain": gain.mean(), "median_gain": np.median(gain), "worst": gain.min(), "best": gain.max()}
    return {"images": len(rows), **means, **{k: float(v) for k, v in spread.items()}, "seconds": seconds}


def main() -> None:
    """Compare on every image and blur, print, write JSON as it goes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scales", type=int, nargs="+", default=[2])
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--limit", type=int, help="images a set")
    parser.add_argument("--blurs", nargs="+", choices=list(BLURS), default=list(BLURS))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    prior, solver = SpectralField(), load_usrnet("usrnet_small")
    rows: list[dict[str, Any]] = []
    for scale in arguments.scales:
        for name in arguments.sets:
            images = ImageFolder(str(data_root() / "natural" / name))
            for blur in arguments.blurs:
                chain = VaryingBlur(scale, GaussianField(scale, **BLURS[blur]), [Quantise("round")])
                samples = DegradedImages(images, chain, SEED)
                for index in SETS[name][: arguments.limit]:
                    found = compare(samples[index], chain, prior, solver)
                    rows.append(
                        {"scale": scale, "set": name, "image": images.ids[index], "blur": blur, **found}
                    )
                    print(json.dumps(rows[-1]), flush=True)
                record = {"summary": tables(rows), "rows": rows, "code": code(), "versions": versions()}
                write_text(arguments.out, json.dumps(record, indent=1) + "\n")
    for key, values in tables(rows).items():
        print(key, {k: round(v, 2) for k, v in values.items()})


def tables(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Summaries of each scale and blur, over all sets and for each."""
    keys = dict.fromkeys(
        key for r in rows for key in ((r["scale"], r["blur"], "all"), (r["scale"], r["blur"], r["set"]))
    )
    return {
        f"x{scale} {blur} {name}": summary(
            [r for r in rows if (r["scale"], r["blur"]) == (scale, blur) and name in ("all", r["set"])]
        )
        for scale, blur, name in keys
    }


if __name__ == "__main__":
    main()
