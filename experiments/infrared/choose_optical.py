"""How cautious `prior=spectral_optical` should be, and what noise the solver is told: chosen on validation frames.

    python experiments/infrared/choose_optical.py

x4, crops of 256x256 pixels, noise of 0.4 % of the range. Means over the frames go to choose_optical.json; so do, for
the test crops of the blind grid, the widths that are estimated over the true ones. Minutes of one core.
"""

import json
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from sr_lab.backbones.usrnet import load_usrnet
from sr_lab.config.paths import data_root
from sr_lab.data.frames import Frames
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation, keyed_generator
from sr_lab.degradation.optical import OpticalKernels
from sr_lab.degradation.resample import bicubic_upsample_aligned
from sr_lab.degradation.sensor import Sensor
from sr_lab.methods.non_blind import solve
from sr_lab.metrics.image import psnr
from sr_lab.metrics.kernel import kernel_psnr
from sr_lab.metrics.protocol import Protocol
from sr_lab.priors.spectral.optical import OpticalBlurs
from sr_lab.priors.spectral.prior import Spectral
from sr_lab.scenes.infrared.splits import Split

HERE = Path(__file__).parent
SCALE, CROP, FRAMES = 4, [64, 64, 256, 256], 4
BLURS = {"family": (0, 40), "defocus60": (60, 60)}
TEMPERS, CAUTIONS, TOLD = (0.1, 0.3, 1.0), (0.0, 0.5, 1.0, 2.0, 3.0), (0.004, 0.01, 0.02, 0.03, 0.05)
CHOSEN = {"temper": 0.1, "caution": 2.0, "told": 0.02}


def samples(split: Split, limit: int, defocus: tuple[float, float]) -> tuple[Degradation, list[Sample]]:
    """Frames of a split (`validation`, `test`), degraded."""
    frames = Frames(str(data_root() / "infrared"), split=split, limit=limit, crop=CROP)
    kernels = OpticalKernels(SCALE, size=31, defocus=defocus)
    degradation = Degradation(SCALE, kernels, [Sensor(thermal=(0.004, 0.004))], anchor="block_center")
    made = []
    for index, name in enumerate(frames.ids):
        hr = frames[index][None]
        degraded = degradation.degrade(hr, keyed_generator(1, name))
        made.append(Sample(degraded.lr, SCALE, [name], hr, degraded.kernel))
    return degradation, made


def width(kernel: Tensor) -> float:
    """Side of the square that spreads its mass as thinly, pixels."""
    return float(kernel.square().sum() ** -0.5)


@torch.no_grad()
def main() -> None:
    """Validation table, then widths on the test crops."""
    warnings.simplefilter("ignore")
    solver, protocol = load_usrnet("usrnet_small"), Protocol.rgb(SCALE)

    def quality(sample: Sample, kernel: Tensor | None, told: float) -> float:
        noise = torch.full((1,), told)
        assert kernel is not None
        sr = solve(solver, sample.lr.expand(-1, 3, -1, -1), kernel, SCALE, noise, "block_center", True, 0)
        assert sample.hr is not None
        return psnr(sr.mean(1, keepdim=True), sample.hr, protocol).item()

    def interpolated(sample: Sample) -> float:
        assert sample.hr is not None
        return psnr(bicubic_upsample_aligned(sample.lr, SCALE, "block_center"), sample.hr, protocol).item()

    found = {}
    for blur, defocus in BLURS.items():
        degradation, made = samples("validation", FRAMES, defocus)
        rows: dict[str, dict[str, float]] = {}
        rows["bicubic"] = {"psnr": _mean(interpolated(sample) for sample in made)}
        for told in TOLD:
            rows[f"oracle, told {told}"] = {"psnr": _mean(quality(s, s.kernel, told) for s in made)}
        for temper in TEMPERS:
            prior = Spectral(None, temper, 0.0, OpticalBlurs(), stripes="columns")
            scores: dict[float, list[tuple[float, float]]] = {caution: [] for caution in CAUTIONS}
            for sample in made:
                prior.start(sample, degradation, [])
                for caution in CAUTIONS:
                    kernel = prior.lowered(torch.full((1,), caution))
                    assert sample.kernel is not None
                    told = quality(sample, kernel, CHOSEN["told"])
                    scores[caution].append((kernel_psnr(kernel, sample.kernel).item(), told))
            for caution, values in scores.items():
                rows[f"temper {temper}, caution {caution}"] = {
                    "kernel_psnr": _mean(value[0] for value in values),
                    "psnr": _mean(value[1] for value in values),
                }
        degradation, made = samples("test", 2, defocus)
        prior = Spectral(None, CHOSEN["temper"], CHOSEN["caution"], OpticalBlurs(), stripes="columns")
        for sample in made:
            prior.start(sample, degradation, [])
            assert sample.kernel is not None
            ratio = width(prior.kernel()) / width(sample.kernel)
            rows[f"test {sample.image_ids[0]}"] = {"width over the true one": ratio}
        found[blur] = rows
        for name, row in rows.items():
            print(blur, name, {key: round(value, 2) for key, value in row.items()})
    (HERE / "choose_optical.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


if __name__ == "__main__":
    main()
