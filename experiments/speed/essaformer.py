"""Seconds and peak memory of an ESSAformer forward pass: the plain transcription beside the backbone, by turns.

Each in its own process, in evaluation and without gradients, on noise: speed does not depend on the picture.

    python experiments/speed/essaformer.py --lr 32x32 --widths 256 64 --repeats 9 --out essaformer.json
"""

import argparse
import json
import os
import sys
from pathlib import Path

from turns import THREADS, Worker, compare, markdown, serve, write_record

HERE = Path(__file__).resolve().parent
PLAIN, OURS, BF16 = "plain transcription", "essaformer", "essaformer, bfloat16"


def work(name: str, bands: int, width: int, scale: int, size: tuple[int, int]) -> None:
    """Serve the forward passes of one contender."""
    import torch

    from sr_lab.backbones.essaformer import ESSAformer

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    net = ESSAformer(bands, width, scale, precision="bfloat16" if name == BF16 else "float32").eval()
    lr = torch.rand(1, bands, *size, generator=torch.Generator().manual_seed(0))
    if name == PLAIN:
        sys.path.insert(0, str(HERE.parents[1] / "tests"))
        from reference import essaformer  # pyright: ignore[reportMissingImports]

        state = {key: tensor.contiguous() for key, tensor in net.state_dict().items()}
        del net

        def forward() -> None:
            with torch.no_grad():
                essaformer.restore(state, lr, scale)
    else:

        def forward() -> None:
            with torch.no_grad():
                net(lr)

    serve(forward)


def main() -> None:
    """Run the comparison and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--lr", nargs="+", default=["32x32"], help="LR sizes, HxW")
    parser.add_argument("--widths", nargs="+", type=int, default=[256, 64])
    parser.add_argument("--bands", type=int, default=31)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--contenders", nargs="+", default=[OURS], choices=[OURS, BF16])
    parser.add_argument("--repeats", type=int, default=9, help="timed passes of each")
    parser.add_argument("--out", type=Path, default=HERE / "essaformer.json")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        height, width = map(int, args.lr[0].split("x"))
        return work(args.worker, args.bands, args.widths[0], args.scale, (height, width))

    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    rows = []
    for size in args.lr:
        for width in args.widths:
            for name in args.contenders:
                told = ["--lr", size, "--widths", str(width), "--bands", str(args.bands)]
                told += ["--scale", str(args.scale)]
                against, worker = (Worker(one, [__file__, "--worker", one, *told]) for one in (PLAIN, name))
                row = compare(against, worker, f"{size} x{args.scale}, width {width}", args.repeats)
                rows.append(row | {"bands": args.bands, "width": width, "scale": args.scale})
                print(json.dumps(rows[-1]), flush=True)
    write_record(args.out, rows, args.repeats)
    print(markdown(rows))
    return None


if __name__ == "__main__":
    main()
