"""Seconds per DIP-DKP image update: the plain transcription beside `experiment=dip_dkp`, the same arithmetic.

They take turns, each in its own process. One outer iteration is timed and divided by its five image updates: the
step towards random kernels, forward, backward and Adam of image and kernel. At x4, on noise, while D is 1 - SSIM
(405 of 1000 updates) and while it is MSE.

    python experiments/speed/dkp_update.py --sizes 128x128 --repeats 15 --out experiments/speed/dkp_update.json
"""

import argparse
import json
import os
import sys
from pathlib import Path

from turns import SCALE, THREADS, Worker, compare, markdown, serve, write_record

HERE = Path(__file__).resolve().parent
PLAIN, OURS = "plain transcription", "dip_dkp"
PHASES = ("SSIM", "MSE")


def work(name: str, phase: str, size: tuple[int, int]) -> None:
    """Serve the outer iterations of one contender."""
    import torch

    from sr_lab.data.sample import Sample
    from sr_lab.degradation.anchor import default_kernel_size

    torch.set_num_threads(THREADS)
    generator = torch.Generator().manual_seed(0)
    lr = torch.rand(1, 3, size[0] // SCALE, size[1] // SCALE, generator=generator)
    if name == PLAIN:
        sys.path.insert(0, str(HERE.parents[1] / "tests"))
        from reference import dip_dkp  # pyright: ignore[reportMissingImports]

        dip_dkp.SSIM_OUTER = sys.maxsize if phase == "SSIM" else -1
        state = dip_dkp.DipDkp(lr, SCALE, default_kernel_size(SCALE))
        inner, step = dip_dkp.INNER, state.step
    else:
        from sr_lab.config.compose import compose, to_plain
        from sr_lab.config.schema import validate, without_unused
        from sr_lab.run import method_of, parts_of

        count = sys.maxsize if phase == "SSIM" else 0
        overrides = [f"scale={SCALE}", "backbone@solver=none", f"method.iterations={sys.maxsize}"]
        config = to_plain(compose(["experiment=dip_dkp", *overrides, f"method.ssim_iterations={count}"]))
        settings = validate(without_unused(config))
        method = method_of(settings, parts_of(settings))
        updates = method.updates(method.begin(Sample(lr, SCALE, ["noise"])))
        inner, step = method.inner, lambda: next(updates)

    def outer() -> None:
        for _ in range(inner):
            step()

    serve(outer, inner)


def main() -> None:
    """Run the comparison and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="+", default=["128x128"], help="HR sizes, HxW")
    parser.add_argument("--repeats", type=int, default=5, help="timed outer iterations of each")
    parser.add_argument("--out", type=Path, default=HERE / "dkp_update.json")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        height, width = map(int, args.sizes[0].split("x"))
        name, phase = args.worker
        return work(name, phase, (height, width))

    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    rows = []
    for size in args.sizes:
        for phase in PHASES:
            against, worker = (
                Worker(f"{name}, {phase}", [__file__, "--worker", name, phase, "--sizes", size])
                for name in (PLAIN, OURS)
            )
            rows.append(compare(against, worker, size, args.repeats))
            print(json.dumps(rows[-1]), flush=True)
    write_record(args.out, rows, args.repeats)
    print(markdown(rows))
    return None


if __name__ == "__main__":
    main()
