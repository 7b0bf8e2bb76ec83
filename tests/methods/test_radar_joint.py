"""Joint methods on detected radar images: the likelihood of speckle as their data term."""

from functools import partial
from typing import Any

import pytest
import torch

from sr_lab.backbones.skip import SkipNet
from sr_lab.config.compose import compose, to_plain
from sr_lab.data.piecewise import PiecewiseScenes
from sr_lab.data.sample import Sample, collate
from sr_lab.degradation.axis_gaussian import AxisGaussians
from sr_lab.degradation.chain import keyed_generator
from sr_lab.degradation.detected import DetectedBlur
from sr_lab.degradation.speckle import Speckle
from sr_lab.losses.speckle import SpeckleTerm
from sr_lab.methods.dip_dkp import DipDkp
from sr_lab.methods.joint import Joint
from sr_lab.methods.zero_shot import ZeroShot
from sr_lab.priors.dkp import DKP
from sr_lab.priors.fkp import FKP
from sr_lab.run import run

SMALL = partial(SkipNet, width=8, skip=4, levels=3, non_local_from=2)
BLUR = DetectedBlur(2, AxisGaussians(2, size=21, sigma=(0.8, 0.8), azimuth=(2.4, 2.4)), [Speckle(4)])


def sample(number: int = 0) -> Sample:
    hr = PiecewiseScenes(2, size=64)[number][None]
    degraded = BLUR.degrade(hr, keyed_generator(0, "a"))
    return Sample(degraded.lr, 2, ["ab"[number]], hr, degraded.kernel)


def method(kind: str, **options: Any) -> Joint:
    shared: dict[str, Any] = {
        "backbone": SMALL, "iterations": 8, "ssim_iterations": 0, "trace_every": 1, "lr": 2e-2,
        "term": SpeckleTerm(looks=4, roughness=0.02),
    }  # fmt: skip
    made = (
        ZeroShot(FKP("fkp_sar_x2", lr=0.05, first_update=3), **{**shared, **options})
        if kind == "fkp"
        else DipDkp(DKP(AxisGaussians), **{"warm_up": 5, "gradient_weight": 0.0, **shared, **options})
    )
    made.bind(BLUR, 0)
    return made


@pytest.mark.parametrize("kind", ["fkp", "dkp"])
def test_the_iterate_that_fits_held_out_pixels_best_is_the_result(kind: str) -> None:
    given, made = sample(), method(kind)
    image, kernel, trace = made.estimate(given)
    losses = [row["loss"][0] for row in trace]
    assert min(losses) < losses[0]
    term = made.term
    assert term is not None
    again = term.misfit(made.degradation(image, kernel), given.lr, held_out=True)
    assert again.item() == pytest.approx(min(losses), rel=1e-5)
    assert 10 ** (-25 / 20) <= float(image.min()) < float(image.max()) <= 10 ** (15 / 20)
    assert "psnr_y" not in trace[0], "what is seen are amplitudes"


def test_each_image_of_a_batch_keeps_its_own_best() -> None:
    both = method("fkp", lr=5e-2).estimate(collate([sample(0), sample(1)]))[2]
    made = method("fkp", lr=5e-2)
    image, kernel, _ = made.estimate(collate([sample(0), sample(1)]))
    assert made.term is not None
    lr = torch.cat([sample(0).lr, sample(1).lr])
    again = made.term.misfit(made.degradation(image, kernel), lr, held_out=True)
    wanted = [min(row["loss"][number] for row in both) for number in (0, 1)]
    assert again.tolist() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.filterwarnings("ignore:.*shows little of its blur")
@pytest.mark.parametrize("kind", ["", "_fkp", "_dkp"])
def test_a_blind_run_is_whole(kind: str, tmp_path: Any) -> None:
    chosen = [
        f"experiment=sar_blind{kind}", "dataset.images.count=1", "dataset.images.size=64", "method.iterations=2",
        "backbone.width=8", "backbone.levels=3", "trainer=cpu", "tracking=none", f"out={tmp_path / 'runs'}",
    ]  # fmt: skip
    record, _ = run(to_plain(compose(chosen)))
    assert record is not None
    assert {"width_error_range", "width_error_azimuth", "psnr_db"} <= set(record.metrics)
