"""One crop of Brackendale and the Sentinel-1 image by every way of enlarging, side by side.

    python experiments/sar/pictures.py

Decibels from -25 (black) to 15 (white) over the mean intensity of each sensor; weights as in test/grid.yaml, seed 0.
"""

from pathlib import Path

import numpy as np
import torch
from independent import IMAGES, NETWORKS
from PIL import Image, ImageDraw
from torch import Tensor

from sr_lab.backbones.trained import load_network
from sr_lab.config.paths import data_root
from sr_lab.data.radar import RadarImages
from sr_lab.data.sample import Sample
from sr_lab.degradation.bandcut import Bandcut
from sr_lab.degradation.chain import modcrop
from sr_lab.io.complex import multilooked
from sr_lab.methods.feedforward import enlarged
from sr_lab.methods.zero_pad import zero_padded
from sr_lab.scenes.sar.render import DecibelView
from sr_lab.weights.store import all_entries

HERE = Path(__file__).parent
CROPS = {"brackendale": (300, 250), "sentinel1": (0, 60)}
SIDE = (84, 168)


def main() -> None:
    """Draw."""
    torch.set_num_threads(1)
    view = DecibelView(-25, 15)
    for scale in (2, 4):
        sheets = []
        for image, (only, unit, occupied, taper) in IMAGES.items():
            images = RadarImages(str(data_root() / "sar"), "test", only=only, unit=unit)
            hr = modcrop(images[0], scale)[None]
            degradation = Bandcut(scale, occupied=list(occupied), taper=list(taper))
            lr = degradation(hr, None)
            found: dict[str, Tensor] = {
                "HR": hr,
                "HR, 5x5 looks": multilooked(hr, 5),
                "bicubic of amplitude": degradation.bicubic(lr),
                "zeros around spectrum": zero_padded(lr, scale),
            }
            for name in NETWORKS:
                weights = f"sar_{name}_x{scale}_seed0"
                if weights in all_entries():
                    with torch.no_grad():
                        found[name] = enlarged(load_network(weights), Sample(lr, scale, ["lr"]), degradation)
            top, left = CROPS[image]
            tiles = []
            for name, picture in found.items():
                part = picture[0, :, top : top + SIDE[0], left : left + SIDE[1]].numpy()
                grey = (255 * view(part, part, {})).round().astype(np.uint8)
                tile = Image.fromarray(grey).resize((2 * SIDE[1], 2 * SIDE[0]), Image.Resampling.NEAREST)
                ImageDraw.Draw(tile).text(
                    (4, 2), name, fill=(255, 220, 0), stroke_width=2, stroke_fill=(0, 0, 0)
                )
                tiles.append(np.asarray(tile))
            tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 4)
            sheets.append(
                np.concatenate([np.concatenate(tiles[row : row + 4], 1) for row in range(0, len(tiles), 4)])
            )
        Image.fromarray(np.concatenate(sheets)).save(HERE / f"pictures_x{scale}.png", optimize=True)


if __name__ == "__main__":
    main()
