"""Estimates at several wavelengths tied by one law: recovered exactly, robust to noise, silent about nothing."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sr_lab.priors.spectral.growth import tied
from sr_lab.priors.spectral.prior import Estimate
from sr_lab.priors.spectral.shape import covariance, shape_of

NM = torch.tensor([400.0, 900.0, 1600.0, 2500.0], dtype=torch.float64)


def on_the_law(longest: Tensor, part: float) -> Tensor:
    """Shapes at every wavelength, by way of the covariances."""
    factors = 1 - part + part * (NM / NM[-1]) ** 2
    return shape_of(covariance(longest)[None] * factors[:, None, None])


def estimates(shapes: Tensor, sd: float = 0.1) -> list[Estimate]:
    return [Estimate(shape, sd, None, sd**2 * torch.eye(3, dtype=torch.float64)) for shape in shapes]


@settings(max_examples=25, deadline=None)
@given(
    width=st.floats(-2, 0.5),
    first=st.floats(-0.8, 0.8),
    second=st.floats(-0.8, 0.8),
    step=st.integers(0, 49),
)
def test_what_lies_on_the_law_stays(width: float, first: float, second: float, step: int) -> None:
    part = 0.02 * step
    shapes = on_the_law(torch.tensor([width, first, second], dtype=torch.float64), part)
    found, q = tied(estimates(shapes), NM)
    assert q == pytest.approx(part)
    torch.testing.assert_close(torch.stack([one.shape for one in found]), shapes, atol=1e-6, rtol=0)


def test_errors_of_single_bands_are_evened_out() -> None:
    truth = on_the_law(torch.tensor([-0.5, 0.3, -0.2], dtype=torch.float64), 0.7)
    generator = torch.Generator().manual_seed(0)
    before, after = [], []
    for _ in range(40):
        noisy = truth + 0.15 * torch.randn(truth.shape, generator=generator, dtype=torch.float64)
        found, _ = tied(estimates(noisy, 0.15), NM)
        before.append(float((noisy - truth).square().mean()))
        after.append(float((torch.stack([one.shape for one in found]) - truth).square().mean()))
    # 12 numbers by 4
    assert sum(after) / sum(before) < 0.5


def test_a_sure_estimate_weighs_more() -> None:
    shapes = torch.zeros(4, 3, dtype=torch.float64)
    shapes[0, 1] = 1.0
    found = estimates(shapes, 0.2)
    sure = estimates(shapes, 0.02)
    mixed, _ = tied([sure[0], *found[1:]], NM)
    alike, _ = tied(found, NM)
    assert float(alike[0].shape[1]) == pytest.approx(0.25)
    assert float(mixed[0].shape[1]) > 0.95
    # not the product of the precisions: one scene's errors go together
    assert alike[0].log_variance_sd == pytest.approx(0.2)
    assert math.sqrt(float(alike[0].covariance[0, 0])) == pytest.approx(0.2)


def test_bands_that_tell_nothing_follow_the_others() -> None:
    shapes = on_the_law(torch.tensor([-0.5, 0.3, -0.2], dtype=torch.float64), 0.5)
    told = estimates(shapes)
    silent = Estimate(torch.zeros(3, dtype=torch.float64), 0.6, None, torch.eye(3).double(), "is flat")
    found, q = tied([*told[:3], silent], NM)
    assert q == pytest.approx(0.5)
    torch.testing.assert_close(found[3].shape, shapes[3], atol=1e-6, rtol=0)
    assert found[3].informed
    alone, q = tied([told[0], silent, silent, silent], NM)
    assert q is None
    assert alone[1] is silent
