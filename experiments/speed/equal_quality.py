"""Do the plain transcription and our loop end equally well from the same start? DIP-FKP on the crop, several seeds.

Transcription (`tests/reference/dip_fkp.py`) and `experiment=dip_fkp_crop prior=fkp_published` get the same network
weights, noise input and code for each seed; both run all 1000 updates on one thread, one after the other.

    python experiments/speed/equal_quality.py --seeds 0 1 2 --out experiments/speed/equal_quality.json
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from reference.dip_fkp import DipFkp  # noqa: E402  # pyright: ignore[reportMissingImports]

from sr_lab.backbones.skip import SkipNet, noise_input  # noqa: E402
from sr_lab.config.compose import compose, to_plain  # noqa: E402
from sr_lab.config.schema import validate  # noqa: E402
from sr_lab.data.sample import Sample, collate  # noqa: E402
from sr_lab.metrics.image import psnr  # noqa: E402
from sr_lab.metrics.kernel import kernel_psnr  # noqa: E402
from sr_lab.metrics.protocol import Protocol  # noqa: E402
from sr_lab.run import data_of, method_of, parts_of  # noqa: E402
from sr_lab.tracking.facts import code, versions  # noqa: E402

FLOW = ROOT.parent / "shared" / "weights" / "FKP_x4.pt"


def setting(seed: int, iterations: int) -> tuple[Any, Sample]:
    """The method of the experiment and its one sample."""
    overrides = ["experiment=dip_fkp_crop", "prior=fkp_published", "solver=null", f"seed={seed}"]
    settings = validate(
        to_plain(
            compose(
                [
                    *overrides,
                    f"method.iterations={iterations}",
                    f"method.ssim_iterations={min(80, iterations)}",
                ]
            )
        )
    )
    parts = parts_of(settings)
    data = data_of(settings, parts)
    data.setup("test")
    return method_of(settings, parts), collate([data.test_set[0]])


def figures(image: Tensor, kernel: Tensor, sample: Sample, started: tuple[float, float]) -> dict[str, float]:
    """Quality against the truth, and what it took."""
    assert sample.hr is not None
    assert sample.kernel is not None
    return {
        "psnr_y": psnr(image, sample.hr, Protocol.published(sample.scale)).item(),
        "kernel_psnr": kernel_psnr(kernel, sample.kernel).item(),
        "wall_s": time.perf_counter() - started[0],
        "cpu_s": time.process_time() - started[1],
    }


def ours(seed: int, iterations: int) -> dict[str, float]:
    """Our loop."""
    method, sample = setting(seed, iterations)
    started = time.perf_counter(), time.process_time()
    image, kernel, _ = method.estimate(sample)
    return figures(image, kernel, sample, started)


def plain(seed: int, iterations: int, flow: Path) -> dict[str, float]:
    """The transcription, from where ours starts."""
    method, sample = setting(seed, iterations)
    (generator,) = method.generators(sample)
    state = DipFkp(sample.lr, sample.scale, flow)
    net = SkipNet(generator=generator)
    for target, source in zip(state.net.parameters(), net.parameters(), strict=True):
        target.data.copy_(source.data.permute(0, 3, 1, 2) if source.dim() == 4 else source.data)
    state.z = noise_input([generator], 3, *state.z.shape[-2:])
    state.code.copy_(torch.randn(state.code.numel(), generator=generator).view_as(state.code))
    started = time.perf_counter(), time.process_time()
    image, kernel = state.z, state.code
    for _ in range(iterations):
        image, kernel, _ = state.step()
    return figures(image, kernel, sample, started)


def main() -> None:
    """Run both for each seed, print as they come, write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--flow", type=Path, default=FLOW, help="the published FKP_x4.pt")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=1000)
    arguments = parser.parse_args()
    count = arguments.iterations
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for seed in arguments.seeds:
        for name, made in (("plain", plain(seed, count, arguments.flow)), ("ours", ours(seed, count))):
            rows.append({"loop": name, "seed": seed, **made})
            print(json.dumps(rows[-1]), flush=True)
        summary = {
            name: {
                key: statistics.mean(row[key] for row in rows if row["loop"] == name)
                for key in ("psnr_y", "kernel_psnr", "wall_s", "cpu_s")
            }
            for name in ("plain", "ours")
        }
        record = {"rows": rows, "mean": summary, "threads": 1, "code": code(), "versions": versions()}
        partial = arguments.out.with_suffix(".partial")
        partial.write_text(json.dumps(record, indent=1) + "\n")
        partial.replace(arguments.out)


if __name__ == "__main__":
    main()
