"""Seconds per DIP-FKP image update: the plain transcription, each lever alone, and all together, in one run.

Every lever runs in its own process beside one of what it is compared with; they take turns, so that a busy
spell of the machine hits both. Forward, backward and both Adam steps are timed, at x4, on noise: speed does
not depend on the picture.

    python experiments/speed/dip_update.py --sizes 128x128 480x320 --flow FKP_x4.pt --out dip_update.json
"""

import argparse
import json
import os
from pathlib import Path

from turns import SCALE, THREADS, Worker, compare, markdown, serve, write_record

HERE = Path(__file__).resolve().parent
FLOW = HERE.parents[2] / "shared" / "weights" / "FKP_x4.pt"


def work(name: str, size: tuple[int, int], flow: Path) -> None:
    """Serve the updates of one lever."""
    import torch
    from levers import LEVERS, build

    torch.set_num_threads(THREADS)
    generator = torch.Generator().manual_seed(0)
    lr = torch.rand(1, 3, size[0] // SCALE, size[1] // SCALE, generator=generator)
    lever = LEVERS[name]
    state = build(lever, lr, SCALE, flow)

    def update() -> None:
        state.iteration = lever.start
        state.step()

    serve(update)


def main() -> None:
    """Run the comparison and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="+", default=["128x128", "480x320"], help="HR sizes, HxW")
    parser.add_argument("--levers", nargs="+", help="names of levers; all by default")
    parser.add_argument("--repeats", type=int, default=5, help="timed updates of each")
    parser.add_argument("--flow", type=Path, default=FLOW, help="the published FKP_x4.pt")
    parser.add_argument("--out", type=Path, default=HERE / "dip_update.json")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        height, width = map(int, args.sizes[0].split("x"))
        return work(args.worker, (height, width), args.flow)

    from levers import LEVERS, PLAIN

    # spinning threads are one of the levers; elsewhere they would make a busy machine's figures worthless
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    names = args.levers or [name for name in LEVERS if name not in (PLAIN, "plain, kernel frozen")]
    rows = []
    for size in args.sizes:
        for name in names:
            against, worker = (
                Worker(
                    one,
                    [__file__, "--worker", one, "--sizes", size, "--flow", str(args.flow)],
                    LEVERS[one].env,
                )
                for one in (LEVERS[name].against, name)
            )
            rows.append(compare(against, worker, size, args.repeats))
            print(json.dumps(rows[-1]), flush=True)
    write_record(args.out, rows, args.repeats)
    print(markdown(rows))
    return None


if __name__ == "__main__":
    main()
