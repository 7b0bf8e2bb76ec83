"""Every way of enlarging against references whose speckle is independent of LR's.

    python experiments/sar/independent.py

A multilooked HR shares its speckle with LR, inside LR's band: whoever keeps that speckle scores well against it. Two
references do not: the part of HR outside LR's band, which LR has never seen, and for Sentinel-1 the same place twelve
days later. All are averaged over 5x5 px of intensity and brought to HR's mean. Weights as in test/grid.yaml.
"""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from sr_lab.backbones.trained import load_network
from sr_lab.config.paths import data_root
from sr_lab.data.radar import RadarImages
from sr_lab.data.sample import Sample
from sr_lab.degradation.bandcut import Bandcut
from sr_lab.degradation.chain import modcrop
from sr_lab.io.complex import intensity, multilooked
from sr_lab.methods.feedforward import enlarged
from sr_lab.methods.zero_pad import zero_padded
from sr_lab.metrics.radar import psnr_db, ssim_db
from sr_lab.weights.store import all_entries

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
IMAGES = {
    "brackendale": (["radarsat1-7-brackendale"], 43.245, [0.716, 0.932], [0.82, 0.98]),
    "sentinel1": (["sentinel1-20230319", "sentinel1-20230331"], 330, [0.81, 0.66], [0.65, 0.78]),
}
NETWORKS = ("generator", "lsrgan", "merlin", "despeckled")


def ways(degradation: Bandcut, scale: int) -> dict[str, list[Callable[[Tensor], Tensor]]]:
    """From LR to SR, one function a seed."""
    found: dict[str, list[Callable[[Tensor], Tensor]]] = {
        "bicubic": [degradation.bicubic],
        "zero_pad": [lambda lr: zero_padded(lr, scale)],
        "zero_pad, 5x5": [lambda lr: multilooked(zero_padded(lr, scale), 5)],
    }
    for name in NETWORKS:
        names = [f"sar_{name}_x{scale}_seed{seed}" for seed in SEEDS]
        networks = [load_network(one) for one in names if one in all_entries()]
        if networks:
            found[name] = [
                lambda lr, network=network: enlarged(network, Sample(lr, scale, ["lr"]), degradation)
                for network in networks
            ]
    return found


def reference(part: Tensor, hr: Tensor) -> Tensor:
    """An amplitude of 25 pixels' mean intensity, whose mean is HR's."""
    mean = multilooked(part, 5)
    return mean * (intensity(hr).mean() / mean.square().mean()).sqrt()


def main() -> None:
    """Measure, print and write."""
    torch.set_num_threads(1)
    rows = []
    for image, (only, unit, occupied, taper) in IMAGES.items():
        images = RadarImages(str(data_root() / "sar"), "test", only=only, unit=unit)
        for scale in (2, 4):
            degradation = Bandcut(scale, occupied=list(occupied), taper=list(taper))
            all_hr = [modcrop(images[index], scale)[None] for index in range(len(images))]
            for way, functions in ways(degradation, scale).items():
                scores: dict[str, list[float]] = {}
                for index, hr in enumerate(all_hr):
                    lr = degradation(hr, None)
                    references = {
                        "same speckle": reference(hr, hr),
                        "outside LR's band": reference(hr - degradation.inside(hr), hr),
                    }
                    if len(all_hr) > 1:
                        references["12 days apart"] = reference(all_hr[1 - index], hr)
                    with torch.no_grad():
                        restored = [function(lr) for function in functions]
                    for name, truth in references.items():
                        for sr in restored:
                            scores.setdefault(f"psnr, {name}", []).append(psnr_db(sr, truth).item())
                            scores.setdefault(f"ssim, {name}", []).append(ssim_db(sr, truth).item())
                row = {name: round(sum(values) / len(values), 3) for name, values in scores.items()}
                rows.append({"image": image, "scale": scale, "way": way, "seeds": len(functions), **row})
                print(*rows[-1].values(), sep="  ", flush=True)
    (HERE / "independent.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
