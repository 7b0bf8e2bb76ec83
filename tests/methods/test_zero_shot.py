"""The joint optimisation against the plain transcription, and the promises of its options."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from reference import dip_fkp
from torch import Tensor

from sr_lab.backbones.skip import SkipNet, noise_input
from sr_lab.data.sample import Sample, collate
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.errors import UserError
from sr_lab.methods.zero_shot import ZeroShot
from sr_lab.priors.double_dip import DoubleDIP
from sr_lab.priors.fixed import Oracle
from sr_lab.priors.fkp import FKP
from sr_lab.priors.softmax import Softmax

SMALL = partial(SkipNet, width=8, skip=4, levels=3, non_local_from=2)


def sample(image_id: str = "a", seed: int = 0, scale: int = 2, side: int = 64) -> Sample:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, side // 8, side // 8, generator=generator)
    hr = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1)
    degradation = Degradation(scale, GaussianKernels(scale))
    degraded = degradation.degrade(hr, generator)
    return Sample(degraded.lr, scale, [image_id], hr, degraded.kernel, degraded.noise_level)


def method(prior: Any, scale: int = 2, seed: int = 0, **options: Any) -> ZeroShot:
    made = ZeroShot(
        prior, **{"backbone": SMALL, "iterations": 4, "ssim_iterations": 2, "trace_every": 1, **options}
    )
    made.bind(Degradation(scale, GaussianKernels(scale)), seed)
    return made


def test_follows_the_plain_transcription_step_by_step(
    published_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same weights, input and code: SSIM and MSE phases, the freeze, the sphere and both Adams agree."""
    monkeypatch.setattr(dip_fkp, "SSIM_UPDATES", 3)
    monkeypatch.setattr(dip_fkp, "FROZEN_UNTIL", 2)  # so that iteration 4 is the first to move the code
    flow = published_weights / "FKP_x2.pt"
    given = sample(scale=2)
    ours = method(
        FKP(str(flow), first_update=4, lr=1e-3), backbone=SkipNet, iterations=6, ssim_iterations=3, lr=1e-5
    )
    (generator,) = ours.generators(given)
    plain = dip_fkp.DipFkp(given.lr, 2, flow)
    net = SkipNet(generator=generator)
    for target, source in zip(plain.net.parameters(), net.parameters(), strict=True):
        target.data.copy_(source.data.permute(0, 3, 1, 2) if source.dim() == 4 else source.data)
    plain.code_optimizer.param_groups[0]["lr"] = 1e-3
    for group in plain.net_optimizer.param_groups:
        group["lr"] = 1e-5  # Adam's first steps are signs of gradients: large ones would amplify rounding
    plain.z = noise_input([generator], 3, 64, 64)
    plain.code.copy_(torch.randn(121, generator=generator).view(1, 1, -1))
    _, kernel, trace = ours.estimate(given)
    losses, plain_kernel = [], kernel
    for _ in range(6):
        _, plain_kernel, loss = plain.step()
        losses.append(loss)
    assert [row["loss"][0] for row in trace] == pytest.approx(
        losses, rel=0.03
    )  # batch norm over 2x2 pixels amplifies rounding
    torch.testing.assert_close(kernel, plain_kernel, rtol=0, atol=2e-5)


def test_the_code_waits_for_its_iteration() -> None:
    kernels: list[Tensor] = []

    class Watched(FKP):
        def kernel(self) -> Tensor:
            kernels.append(super().kernel())
            return kernels[-1]

    method(Watched("fkp_x2", first_update=4), iterations=6).estimate(sample())
    still = [torch.equal(kernels[1], kernel) for kernel in kernels]
    assert still == [False, True, True, True, False, False], (
        "projected once, then frozen up to the forward of 4"
    )


@pytest.mark.parametrize(
    "prior", [lambda: FKP("fkp_x2", first_update=2), DoubleDIP, Softmax], ids=["fkp", "mlp", "softmax"]
)
def test_an_image_of_a_batch_equals_the_same_image_alone(prior: Any) -> None:
    samples = [sample("a", 0), sample("b", 1)]
    together, kernels, _ = method(prior()).estimate(collate(samples))
    for index, alone in enumerate(samples):
        image, kernel, _ = method(prior()).estimate(alone)
        torch.testing.assert_close(together[index : index + 1], image, rtol=0, atol=2e-3)
        torch.testing.assert_close(kernels[index : index + 1], kernel, rtol=0, atol=1e-4)


def test_optimisation_lowers_the_loss_and_finds_the_image() -> None:
    given = sample()
    _, _, trace = method(Softmax(first_update=5), iterations=40, ssim_iterations=5).estimate(given)
    rows = [row for row in trace if row["iteration"] > 5]
    assert rows[-1]["loss"][0] < 0.5 * rows[0]["loss"][0]
    assert rows[-1]["psnr_y"][0] > rows[0]["psnr_y"][0]
    assert {"iteration", "loss", "psnr_y", "kernel_psnr"} == set(trace[0])


def test_patience_stops_and_average_is_returned() -> None:
    _, _, trace = method(Softmax(lr=0.0), lr=0.0, iterations=50, ssim_iterations=0, patience=3).estimate(
        sample()
    )
    assert trace[-1]["iteration"] < 10
    last, _, _ = method(Softmax()).estimate(sample())
    averaged, _, _ = method(Softmax(), weight_average=0.9).estimate(sample())
    assert not torch.equal(last, averaged)


def test_without_truth_there_is_still_a_trace() -> None:
    given = sample()
    blind = Sample(given.lr, given.scale, given.image_ids)
    restored = method(Softmax()).restore(blind)
    assert set(restored.trace[-1]) == {"iteration", "loss"}
    assert restored.seconds > 0


def test_a_warm_start_begins_at_the_estimate_and_changes_nothing_else() -> None:
    given = sample()
    cold, warm = method(Softmax(first_update=9)), method(Softmax(first_update=9), start=Oracle())
    cold_image, cold_kernel, _ = cold.estimate(given)
    warm_image, warm_kernel, _ = warm.estimate(given)
    assert given.kernel is not None
    torch.testing.assert_close(warm_kernel, given.kernel, rtol=0, atol=1e-3)
    assert not torch.equal(cold_kernel, warm_kernel)
    first = [next(made.updates(made.begin(given)))[1] for made in (cold, warm)]
    assert torch.equal(*first), "the same image network"
    assert not torch.equal(cold_image, warm_image)


def test_what_has_to_be_optimised_is_no_estimate() -> None:
    with pytest.raises(UserError, match="optimised itself"):
        method(Softmax(), start=Softmax()).estimate(sample())


def test_divergence_is_explained() -> None:
    given = sample()
    with pytest.raises(UserError, match="loss of 'a'"):
        method(Softmax()).estimate(Sample(given.lr * float("nan"), 2, ["a"]))


def test_the_solver_gets_the_estimated_kernel() -> None:
    seen: list[Tensor] = []

    class Solver(torch.nn.Module):
        def forward(self, lr: Tensor, kernel: Tensor, scale: int, noise_level: Tensor) -> Tensor:
            seen.append(kernel)
            return torch.zeros(1, 3, 64, 64)

    restored = method(FKP("fkp_x2"), solver=Solver(), renormalise=True).restore(sample())
    assert restored.kernel is not None
    torch.testing.assert_close(seen[0], restored.kernel / restored.kernel.sum())
    assert restored.sr.max() == 0
    assert restored.stages["dip"].max() > 0
