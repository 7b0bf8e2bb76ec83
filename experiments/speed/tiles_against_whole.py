"""How far an image restored in tiles is from the same image restored whole, where attention spans all that it is given.

The difference is told beside what the network adds to bicubic: only that is at stake. Margin and overlap are those of
`methods.feedforward`; the outermost pixels are left out, where a network reads zeros and a tile the mirrored image.

    python experiments/speed/tiles_against_whole.py --weights NAME --cube lr.npy --out tiles.json
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def compare(network: Any, lr: Any, tiles: list[int]) -> list[dict[str, float]]:
    """One row for each side of a tile."""
    from sr_lab.data.sample import Sample
    from sr_lab.degradation.chain import Degradation
    from sr_lab.degradation.resample import imresize
    from sr_lab.methods.feedforward import enlarged

    degradation = Degradation(network.scale, None, anchor="block_center")
    sample = Sample(lr, network.scale, ["cube"])
    edge = 8 * network.scale
    inside = (..., slice(edge, -edge), slice(edge, -edge))
    whole = enlarged(network, sample, degradation, None)[inside]
    added = (whole - imresize(lr, network.scale)[inside]).square().mean().sqrt().item()
    rows = []
    for tile in tiles:
        off = enlarged(network, sample, degradation, tile)[inside] - whole
        rms = off.square().mean().sqrt().item()
        worst = off.abs().max().item()
        rows.append({"tile": tile, "rms": rms, "worst": worst, "added_rms": added, "share": rms / added})
    return rows


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--weights", required=True, help="name in `sr-lab weights list`, or a .pt file")
    parser.add_argument("--cube", type=Path, required=True, help="LR cube (bands, h, w) as .npy, normalised")
    parser.add_argument("--tiles", nargs="+", type=int, default=[16, 32, 64])
    parser.add_argument("--out", type=Path, default=HERE / "tiles_against_whole.json")
    args = parser.parse_args()
    import numpy as np
    import torch

    from sr_lab.backbones.trained import load_network
    from sr_lab.io.atomic import write_text
    from sr_lab.tracking.facts import code, versions

    lr = torch.from_numpy(np.load(args.cube, allow_pickle=False)).float()[None]
    record = {
        "command": " ".join(["python", "experiments/speed/tiles_against_whole.py", *sys.argv[1:]]),
        "lr": list(lr.shape[1:]),
        "rows": compare(load_network(args.weights), lr, args.tiles),
        "code": code(),
        "versions": versions(),
    }
    write_text(args.out, json.dumps(record, indent=1) + "\n")
    print(json.dumps(record["rows"], indent=1))


if __name__ == "__main__":
    main()
