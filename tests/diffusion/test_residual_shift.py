"""The published schedule, Bayes' rule, and moments of chains."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference import residual_shift as reference

from sr_lab.diffusion.residual_shift import exponential
from sr_lab.errors import UserError

PUBLISHED = [
    *(0.0200, 0.1172, 0.1763, 0.2336, 0.2916, 0.3510, 0.4124, 0.4759),
    *(0.5417, 0.6099, 0.6807, 0.7540, 0.8300, 0.9086, 0.9900),
]


def image(value: float, count: int = 1) -> torch.Tensor:
    return torch.full((count, 1, 1, 1), value, dtype=torch.float64)


def at(step: int, count: int = 1) -> torch.Tensor:
    return torch.full((count,), step)


def noise(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1, 1, 1, generator=generator, dtype=torch.float64)


def test_the_published_schedule():
    assert exponential().roots == pytest.approx(PUBLISHED, abs=5e-5)


@given(
    step=st.integers(1, 14),
    z0=st.floats(-1, 1),
    zy=st.floats(-1, 1),
    z=st.floats(-3, 3),
)
def test_the_posterior_is_bayes_rule(step: int, z0: float, zy: float, z: float):
    shift = exponential()
    mean, variance = shift.posterior(image(z0), image(z), at(step))
    # zy reaches the posterior through z_t alone, so it must drop out of Bayes' rule
    expected = reference.posterior(shift.roots[step] ** 2, shift.roots[step - 1] ** 2, 2.0, z0, zy, z)
    assert mean.item() == pytest.approx(expected[0], abs=1e-9)
    assert variance.item() == pytest.approx(expected[1], abs=1e-12)


@given(step=st.integers(0, 14))
def test_weights_of_the_deterministic_step_sum_to_one(step: int):
    assert sum(weight.item() for weight in exponential().weights(at(step))) == pytest.approx(1, abs=1e-12)


def test_a_true_z0_is_reached_and_its_noise_kept():
    shift, z0, zy, eps = exponential(), image(0.3), image(-0.2), noise(1)
    z = shift.noised(z0, zy, at(14), eps)
    for step in range(14, 0, -1):
        z = shift.deterministic_step(z0, z, zy, at(step))
        torch.testing.assert_close(z, shift.noised(z0, zy, at(step - 1), eps))
    torch.testing.assert_close(shift.deterministic_step(z0, z, zy, at(0)), z0)


@pytest.mark.parametrize("step", [1, 7, 14])
def test_a_stochastic_step_keeps_the_marginals(step: int):
    shift, count = exponential(), 200_000
    z0, zy = image(0.5, count), image(-0.5, count)
    z = shift.noised(z0, zy, at(step, count), noise(count))
    before = shift.stochastic_step(z0, z, at(step, count), noise(count, 1))
    eta = shift.roots[step - 1] ** 2
    assert before.mean().item() == pytest.approx(0.5 - eta, abs=0.02)
    assert before.var().item() == pytest.approx(4 * eta, rel=0.02)
    torch.testing.assert_close(shift.stochastic_step(z0, z, at(0, count), noise(count)), z0)


def test_the_start_is_the_last_step_without_z0():
    zy = image(0.1, 200_000)
    z = exponential().start(zy, noise(len(zy)))
    assert z.std().item() == pytest.approx(2 * 0.99, rel=0.01)


@pytest.mark.parametrize(("steps", "kept"), [(15, list(range(15))), (5, [2, 5, 8, 11, 14]), (1, [14])])
def test_fewer_steps_end_at_the_last(steps: int, kept: list[int]):
    shift = exponential().respaced(steps)
    assert shift.network_index(torch.arange(steps)).tolist() == kept
    assert shift.roots == tuple(exponential().roots[k] for k in kept)


def test_what_makes_no_sense_is_told():
    with pytest.raises(UserError, match="1 to 15"):
        exponential().respaced(16)
    with pytest.raises(UserError, match="no schedule"):
        exponential(1)
