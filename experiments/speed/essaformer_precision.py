"""What bfloat16 changes in the result of a trained ESSAformer: PSNR of the test cubes in either precision.

python experiments/speed/essaformer_precision.py --weights NAME --out experiments/speed/essaformer_precision.json
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Restore every cube twice, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--weights", required=True, help="name in `sr-lab weights list`, or a .pt file")
    parser.add_argument("--out", type=Path, default=HERE / "essaformer_precision.json")
    args = parser.parse_args()
    import torch

    from sr_lab.backbones.essaformer import ESSAformer
    from sr_lab.backbones.trained import load_network
    from sr_lab.config.paths import data_root
    from sr_lab.data.cubes import Cubes
    from sr_lab.data.degraded import DegradedImages
    from sr_lab.degradation.chain import Degradation
    from sr_lab.io.atomic import write_text
    from sr_lab.metrics.spectral import psnr_cube
    from sr_lab.tracking.facts import code, versions

    network = load_network(args.weights)
    (transformer,) = (part for part in network.modules() if isinstance(part, ESSAformer))
    degradation = Degradation(network.scale, None, anchor="block_center")
    samples = DegradedImages(Cubes(str(data_root() / "hyperspectral"), split="test"), degradation, seed=1)
    rows = []
    for sample in (samples[index] for index in range(len(samples))):
        assert sample.hr is not None
        row: dict[str, str | float] = {"cube": sample.image_ids[0]}
        for precision in ("float32", "bfloat16"):
            transformer.precision = precision
            with torch.no_grad():
                row[precision] = psnr_cube(network(sample.lr), sample.hr).item()
        rows.append(row)
        print(json.dumps(row), flush=True)
    command = " ".join(["python", "experiments/speed/essaformer_precision.py", *sys.argv[1:]])
    record = {"command": command, "rows": rows, "code": code(), "versions": versions()}
    write_text(args.out, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
