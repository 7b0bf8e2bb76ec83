"""What the shipped network makes of an image of several looks: intensity of blocks, from the darkest to the brightest.

    python experiments/sar/several_looks.py        # several_looks.json

Sentinel-1's tile of Spain (VV, decibels) as `sr-lab upscale --scene sar --scale 2` restores it.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

from sr_lab.config.compose import compose, to_plain
from sr_lab.config.paths import data_root
from sr_lab.config.schema import validate, without_unused
from sr_lab.restorers import restorer_for
from sr_lab.scenes.sar.own_files import RadarFiles

HERE = Path(__file__).parent
PERCENTILES = {"darkest 2 %": (0, 2), "8 to 12 %": (8, 12), "48 to 52 %": (48, 52), "88 to 92 %": (88, 92),
               "97 to 99 %": (97, 99), "brightest 2 %": (98, 100)}  # fmt: skip


@torch.no_grad()
def main() -> None:
    """Restore, compare blocks of 8x8 LR pixels, write."""
    torch.set_num_threads(1)
    lr = RadarFiles(kind="log", band=0).open(data_root() / "sar/test/Spain_7370579_S1Hand.tif").image()
    settings = validate(without_unused(to_plain(compose(["experiment=upscale", "scene=sar", "scale=2"]))))
    rows, _ = restorer_for("network", settings, torch.device("cpu")).restore(lr, "spain")
    before = F.avg_pool2d(lr.square(), 8).flatten()
    after = F.avg_pool2d(torch.cat(list(rows), -2).square(), 16).flatten()
    change = (10 * torch.log10(after / before))[before.argsort()]
    found = {
        name: round(change[len(change) * low // 100 : len(change) * high // 100].mean().item(), 2)
        for name, (low, high) in PERCENTILES.items()
    }
    found["mean of all"] = round(10 * torch.log10(after.mean() / before.mean()).item(), 2)
    (HERE / "several_looks.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, value in found.items():
        print(f"{name}: {value:+.2f} dB")


if __name__ == "__main__":
    main()
