"""DKP's network, its random kernels and their weights."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import dip_dkp
from torch import Tensor

from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.chain import Degradation, KernelSampler, keyed_generator
from sr_lab.degradation.gaussian import GaussianKernels, centre_of_mass
from sr_lab.degradation.motion import CameraShake, LineMotion
from sr_lab.priors.dkp import DKP, focal_weights, published_gaussians
from sr_lab.priors.double_dip import DoubleDIP

SIDE = 11
FAMILIES = [published_gaussians, GaussianKernels, LineMotion, CameraShake]


def started(
    *names: str, kernels: type | object = published_gaussians, anchor: Anchor = "fkp", **options: float
) -> DKP:
    prior = DKP(kernels, hidden=32, **options)  # pyright: ignore[reportArgumentType]
    sample = Sample(torch.zeros(len(names), 3, 8, 8), 2, list(names))
    degradation = Degradation(2, GaussianKernels(2, size=SIDE, anchor=anchor), anchor=anchor)
    prior.start(sample, degradation, [keyed_generator(0, name, "method") for name in names])
    return prior


def test_starts_where_double_dip_does() -> None:
    prior, plain = started("a"), DoubleDIP(hidden=32)
    sample = Sample(torch.zeros(1, 3, 8, 8), 2, ["a"])
    plain.start(sample, Degradation(2, GaussianKernels(2)), [keyed_generator(0, "a", "method")])
    assert torch.equal(prior.kernel(), plain.kernel())


@pytest.mark.parametrize("kernels", FAMILIES)
@pytest.mark.parametrize("anchor", ["fkp", "block_center"])
def test_random_kernels_have_size_and_anchor_of_the_degradation(kernels: object, anchor: Anchor) -> None:
    drawn = started("a", "b", kernels=kernels, anchor=anchor).draw(6)
    assert drawn.shape == (2, 6, SIDE, SIDE)
    torch.testing.assert_close(drawn.sum((-2, -1)), torch.ones(2, 6), atol=1e-5, rtol=0)
    centre = centre_of_mass(drawn.flatten(0, 1)[:, None])
    # the published generator recentres what it has cut off before, so wide kernels miss by some tenths
    expected = (SIDE - 2) / 2 if anchor == "fkp" else (SIDE + 2) / 2 - 1
    assert (centre - expected).abs().max() < (0.3 if kernels is published_gaussians else 0.06)


@pytest.mark.parametrize("kernels", FAMILIES)
def test_random_kernels_do_not_depend_on_the_batch(kernels: object) -> None:
    together = started("a", "b", kernels=kernels)
    drawn = torch.cat([together.draw(3), together.draw(2)], dim=1)
    for index, name in enumerate("ab"):
        alone = started(name, kernels=kernels)
        assert torch.equal(torch.cat([alone.draw(3), alone.draw(2)], dim=1)[0], drawn[index])


@pytest.mark.parametrize(("scale", "low", "high"), [(2, 1.35, 13), (3, 2.525, 16.5), (4, 3.7, 20)])
def test_the_published_range(scale: int, low: float, high: float) -> None:
    family = published_gaussians(scale)
    assert family.variances == pytest.approx((low, high))
    assert isinstance(family, KernelSampler)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=8))
def test_weights_follow_the_formula(costs: list[float]) -> None:
    ours = focal_weights(torch.tensor([costs, costs[::-1]], dtype=torch.float64))
    plain = dip_dkp.weights(costs)
    assert ours[0].tolist() == pytest.approx(plain, abs=1e-9)
    assert ours[1].tolist() == pytest.approx(plain[::-1], abs=1e-9)


def test_weights_favour_the_best() -> None:
    (weights,) = focal_weights(torch.tensor([[0.01, 0.02, 0.02, 0.02, 0.02]])).tolist()
    assert weights[0] == pytest.approx(-math.log(1e-3), abs=1e-4)
    assert weights[1:] == pytest.approx([0.777] * 4, abs=2e-3)


def test_distance_is_that_of_every_kernel_to_the_image_s_own() -> None:
    prior = started("a", "b")
    drawn = prior.draw(3)
    kernel = prior.kernel()
    for image in range(2):
        for index in range(3):
            expected = torch.nn.functional.mse_loss(drawn[image, index], kernel[image, 0])
            torch.testing.assert_close(prior.distance(drawn)[image, index], expected)


def weights_of(prior: DKP) -> Tensor:
    return torch.cat([parameter.detach().flatten(1) for parameter in prior.steppable()], dim=1)


def test_langevin_noise_has_the_temperature_s_spread_and_is_off_by_default() -> None:
    still = started("a")
    before = weights_of(still)
    still.add_noise()
    assert torch.equal(weights_of(still), before)
    warm = started("a", "b", lr=1e-3, temperature=0.5)
    moved = -weights_of(warm)
    warm.add_noise()
    moved += weights_of(warm)
    assert moved.std().item() == pytest.approx(math.sqrt(1e-3), rel=0.02)
    alone = started("b", lr=1e-3, temperature=0.5)
    alone.add_noise()
    assert torch.equal(weights_of(alone)[0], weights_of(warm)[1])
