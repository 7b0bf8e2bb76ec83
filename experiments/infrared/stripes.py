"""What becomes of real column stripes at x4: measured on the LR grid, and a picture.

    python experiments/infrared/stripes.py

Writes stripes.json, agreement.json and stripes.png. SR images are averaged over 4x4 pixels first, so that their stripes
compare with those of the LR frame. Agreement is what a frame is called striped by: of the eight real ones, and of
frames without stripes at a quarter of their side. A few minutes of one core.
"""

import json
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from sr_lab.config.compose import compose, to_plain
from sr_lab.config.paths import data_root
from sr_lab.config.schema import validate, without_unused
from sr_lab.data.frames import Frames, RealFrames
from sr_lab.metrics.thermal import stripes
from sr_lab.restorers import restorer_for
from sr_lab.scenes.infrared.destripe import agreement

HERE = Path(__file__).parent
SCALE, SHOWN = 4, "real-stripes/input_05"
WAYS = {
    "bicubic, kept": ("bicubic", None),
    "network, kept": ("network", None),
    "fast, kept": ("fast", None),
    "bicubic": ("bicubic", "columns"),
    "network": ("network", "columns"),
    "fast": ("fast", "columns"),
}


@torch.no_grad()
def main() -> None:
    """One row a way, means over three frames."""
    warnings.filterwarnings("ignore", ".*column stripes.*")
    root = str(data_root() / "infrared")
    frames = RealFrames(root, ["real-stripes"])
    without = [Frames(root, split="validation"), Frames(root, split="test")]
    agreed = {
        "stripes": {
            name: agreement(frames.pair(index)[0][None]).item() for index, name in enumerate(frames.ids)
        },
        "none": {
            name: agreement(kind[index][None, :, ::SCALE, ::SCALE].contiguous()).item()
            for kind in without
            for index, name in enumerate(kind.ids)
        },
    }
    (HERE / "agreement.json").write_text(json.dumps(agreed, indent=1) + "\n", encoding="utf-8")
    for kind, values in agreed.items():
        print(
            f"agreement, {kind}: {min(values.values()):.2f} to {max(values.values()):.2f}, {len(values)} frames"
        )
    figures: dict[str, dict[str, float]] = {"LR": {}, **{way: {} for way in WAYS}}
    shown: list[Tensor] = []
    chosen = [0, 1, frames.ids.index(SHOWN)]
    for index, name in ((index, frames.ids[index]) for index in chosen):
        lr = frames.pair(index)[0][None]
        figures["LR"][name] = stripes(lr).item()
        if name == SHOWN:
            shown.append(F.interpolate(lr, scale_factor=float(SCALE), mode="nearest"))
        for way, (method, destripe) in WAYS.items():
            overrides = ["experiment=upscale", "scene=infrared", f"scale={SCALE}"]
            overrides.append(f"scene.upscale.destripe={destripe or 'null'}")
            settings = validate(without_unused(to_plain(compose(overrides))))
            rows, _ = restorer_for(method, settings, torch.device("cpu")).restore(lr, name)
            sr = torch.cat(list(rows), -2)
            figures[way][name] = stripes(F.avg_pool2d(sr, SCALE)).item()
            if name == SHOWN:
                shown.append(sr)
    for way, values in figures.items():
        print(f"{way:16} {sum(values.values()) / len(values):.2f} %")
    (HERE / "stripes.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    side = 440
    parts = [image[0, 0, :side, :side].clamp(0, 1) for image in shown]
    gap = torch.ones(side, 8)
    top, bottom = ([parts[0], *parts[1:4]], [parts[0], *parts[4:]])
    picture = torch.cat([torch.cat([x for part in row for x in (part, gap)], 1) for row in (top, bottom)])
    Image.fromarray((255 * picture).round().to(torch.uint8).numpy()).save(HERE / "stripes.png")


if __name__ == "__main__":
    main()
