"""DIP-DKP's loop against the plain transcription, its counts, and its switches one by one."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from reference import dip_dkp, dip_fkp
from torch import Tensor

from sr_lab.backbones.skip import SkipNet, noise_input
from sr_lab.config.compose import compose, to_plain
from sr_lab.data.sample import Sample, collate
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.errors import UserError
from sr_lab.methods.dip_dkp import DipDkp
from sr_lab.priors.dkp import DKP, published_gaussians
from sr_lab.priors.fixed import Oracle
from sr_lab.run import run

WIDTHS = {"width": 8, "skip": 4, "levels": 3, "non_local_from": 2}
SMALL = partial(SkipNet, **WIDTHS)
TINY = partial(SkipNet, width=2, skip=1, levels=2, non_local_from=3)


def sample(image_id: str = "a", seed: int = 0, side: int = 64) -> Sample:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, side // 8, side // 8, generator=generator)
    hr = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1)
    degraded = Degradation(2, GaussianKernels(2)).degrade(hr, generator)
    return Sample(degraded.lr, 2, [image_id], hr, degraded.kernel, degraded.noise_level)


def method(prior: DKP | None = None, **options: Any) -> DipDkp:
    chosen = {"iterations": 6, "ssim_iterations": 3, "warm_up": 2, "trace_every": 1, **options}
    made = DipDkp(prior or DKP(published_gaussians), **{"backbone": SMALL, **chosen})
    made.bind(Degradation(2, GaussianKernels(2)), 0)
    return made


def kernel_steps(prior: DKP, **options: Any) -> list[int]:
    """Image updates made before each step of the kernel network."""
    steps: list[int] = []
    made = method(prior, backbone=TINY, **options)
    course = made.begin(sample(side=32))
    assert course.kernel_adam is not None
    count = 0
    course.kernel_adam.register_step_post_hook(lambda *_: steps.append(count))
    for _ in zip(range(made.iterations), made.updates(course), strict=False):
        count += 1
    return steps


def test_follows_the_plain_transcription_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same weights and random kernels: warm-up, both kinds of kernel steps, both data terms, what is thrown away."""
    monkeypatch.setattr(dip_dkp, "SSIM_OUTER", 1)
    monkeypatch.setattr(dip_dkp, "WARM_UP", 4)
    given, updates = sample(), 16
    ours = method(iterations=updates, ssim_iterations=10, warm_up=4, lr=1e-4)
    ours.prior.lr = 1e-3
    (generator,) = ours.generators(given)
    net = SMALL(generator=generator)
    z = noise_input([generator], 3, 64, 64)
    drawing = DKP(published_gaussians)
    drawing.start(given, ours.degradation, [generator])
    kernels = torch.cat([drawing.draw(4), *(drawing.draw(5) for _ in range(4))], dim=1)[0]

    plain = dip_dkp.DipDkp(given.lr, 2, 11, iter(kernels[:, None, None]), partial(dip_fkp.Skip, **WIDTHS))
    for target, source in zip(plain.net.parameters(), net.parameters(), strict=True):
        target.data.copy_(source.data.permute(0, 3, 1, 2) if source.dim() == 4 else source.data)
    plain.z = z
    plain.kernel_net.code.copy_(drawing.code[0])
    for linear, weight, bias in (
        (plain.kernel_net.first, drawing.weight_in, drawing.bias_in),
        (plain.kernel_net.second, drawing.weight_out, drawing.bias_out),
    ):
        linear.weight.data.copy_(weight[0].T)
        linear.bias.data.copy_(bias[0, 0])
    plain.net_optimizer.param_groups[0]["lr"] = 1e-4  # Adam's first steps are signs, which amplify rounding
    plain.kernel_optimizer.param_groups[0]["lr"] = 1e-3

    image, kernel, trace = ours.estimate(given)
    plain.warm_up()
    losses, plain_image, plain_kernel = [], image, kernel
    for _ in range(updates):
        plain_image, plain_kernel, loss = plain.step()
        losses.append(loss)
    assert [row["loss"][0] for row in trace] == pytest.approx(losses, rel=1e-3)
    torch.testing.assert_close(image, plain_image, rtol=0, atol=2e-3)
    torch.testing.assert_close(kernel, plain_kernel, rtol=0, atol=2e-5)
    assert (kernel - drawing.kernel()).abs().max() > 1e-3, (
        "the kernel has moved by far more than the tolerance"
    )


def test_the_transcription_s_pattern_of_kernel_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 5 and 3: sums of 3, 1, 3, 2, 3 losses, 333 updates, 799 of 1000 losses used."""
    state = dip_dkp.DipDkp(torch.rand(1, 3, 2, 2), 2, 3, iter(()), net=lambda: torch.nn.Conv2d(3, 3, 1))
    monkeypatch.setattr(state, "random_kernels", lambda: None)
    monkeypatch.setattr(state, "step_kernel", lambda loss: None)
    monkeypatch.setattr(state, "distance", lambda out, outer: out.mean())
    monkeypatch.setattr(dip_dkp, "degrade", lambda image, kernel, scale: image * kernel.mean())
    monkeypatch.setattr(dip_dkp, "gradient_penalty", lambda image: image.mean())
    for _ in range(1000):
        state.step()
    assert state.used[:10] == [3, 1, 3, 2, 3, 3, 1, 3, 2, 3]
    assert (len(state.used), sum(state.used)) == (333, 799)


class Sum(Degradation):
    """An operator whose slope at every pixel of the kernel is 1."""

    def forward(self, image: Tensor, kernel: Tensor | None) -> Tensor:
        assert kernel is not None
        return kernel.sum((1, 2, 3))[:, None, None, None] + 0 * image[:1, :, ::2, ::2]


class Watched(DKP):
    """Keeps the slopes that its kernel gets."""

    def kernel(self) -> Tensor:
        kernel = super().kernel()
        if kernel.requires_grad:
            kernel.register_hook(self.slopes.append)
        return kernel

    def __init__(self) -> None:
        super().__init__(published_gaussians, hidden=8)
        self.slopes: list[Tensor] = []


@pytest.mark.parametrize(("discard", "summed"), [(True, [3, 1, 3, 2, 3]), (False, [3, 3, 3, 3, 3])])
def test_gradients_that_wait_are_forgotten_or_kept(discard: bool, summed: list[int]) -> None:
    prior = Watched()
    made = method(prior, backbone=TINY, discard=discard)
    made.bind(Sum(2, GaussianKernels(2)), 0)
    made.distance = lambda out, lr, iteration: out.mean((1, 2, 3))
    for _ in zip(range(16), made.updates(made.begin(sample(side=32))), strict=False):
        pass
    # the slopes of the data term are whole numbers, those towards random kernels differ from pixel to pixel
    slopes = [slope for slope in prior.slopes if slope.std() < 1e-5]
    assert [round(float(slope.mean())) for slope in slopes] == summed


def test_when_the_kernel_steps() -> None:
    prior = DKP(published_gaussians, hidden=8)
    random, data = [0, 5, 10], [3, 6, 9, 12]
    assert kernel_steps(prior, iterations=13) == sorted(random + data)
    assert kernel_steps(prior, iterations=13, inner=4, kernel_every=4) == [0, 4, 4, 8, 8, 12, 12]
    assert kernel_steps(prior, iterations=13, samples=0) == data
    late = DKP(published_gaussians, hidden=8, first_update=7)
    assert kernel_steps(late, iterations=13) == [9, 10, 12], (
        "frozen before update 7, and so before random kernels at 11"
    )


@pytest.mark.parametrize("key", ["inner", "kernel_every"])
def test_a_period_of_nothing_is_refused(key: str) -> None:
    with pytest.raises(UserError, match=f"method.{key}: a step every 0"):
        method(None, **{key: 0})


def test_an_image_of_a_batch_equals_the_same_image_alone() -> None:
    def prior() -> DKP:
        return DKP(published_gaussians, temperature=1e-6)

    samples = [sample("a", 0), sample("b", 1)]
    together, kernels, _ = method(prior()).estimate(collate(samples))
    for index, alone in enumerate(samples):
        image, kernel, _ = method(prior()).estimate(alone)
        torch.testing.assert_close(together[index : index + 1], image, rtol=0, atol=2e-3)
        torch.testing.assert_close(kernels[index : index + 1], kernel, rtol=0, atol=1e-5)


def test_warm_up_nears_the_random_kernels() -> None:
    def far(warm_up: int) -> float:
        made = method(DKP(published_gaussians, lr=1e-3), warm_up=warm_up)
        made.begin(sample())
        return made.prior.distance(made.prior.draw(20)).mean().item()

    assert far(100) < 0.7 * far(0)


def test_a_warm_start_begins_at_the_estimate() -> None:
    given = sample()
    made = method(DKP(published_gaussians, first_update=2), start=Oracle(), warm_up=9)
    kernel = next(made.updates(made.begin(given)))[2]
    assert given.kernel is not None
    torch.testing.assert_close(kernel, given.kernel, rtol=0, atol=1e-3)


RUN = [
    "experiment=dip_dkp",
    "scale=2",
    "dataset.images.names=[astronaut]",
    "dataset.images.crop=[80,180,64,64]",
    "method.iterations=7",
    "method.ssim_iterations=3",
    "method.warm_up=2",
    "trainer=cpu",
    "tracking=none",
]


@pytest.mark.parametrize("family", ["line_motion", "camera_shake"])
def test_every_motion_family_runs_end_to_end(family: str, tmp_path: Path) -> None:
    overrides = [f"prior/kernels={family}", f"degradation={family}", f"out={tmp_path}"]
    record, directory = run(to_plain(compose([*RUN, *overrides])))
    assert record is not None
    assert (record.labels["prior"], record.labels["method"]) == ("dkp_published", "dip_dkp")
    assert record.metrics["kernel_psnr"].mean > 20
    assert (directory / "result.json").is_file()


@pytest.mark.parametrize("recipe", ["dip_dkp", "dip_dkp_plus"])
def test_recipes_run_end_to_end(recipe: str, tmp_path: Path) -> None:
    record, _ = run(
        to_plain(compose([*RUN, f"experiment={recipe}", f"out={tmp_path}", "prior@start=spectral"]))
    )
    assert record is not None
    assert record.labels["start"] == "spectral"
    assert {"psnr_y", "psnr_y@dip", "kernel_psnr"} <= set(record.metrics)
