"""Linear prediction against an independent plain one, and on exponentials whose continuation is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import prediction

from sr_lab.errors import UserError
from sr_lab.methods.linear_prediction import extended


def exponentials(k: np.ndarray, *terms: tuple[float, complex]) -> np.ndarray:
    return np.sum([value * np.exp(2j * np.pi * turns * k) for turns, value in terms], 0)


TERMS = ((0.02, 1 + 0j), (0.11, 0.5j), (-0.27, 0.3 - 0.2j))


def test_exponentials_go_on_as_they_are() -> None:
    inside, wide = np.arange(30), np.arange(-15, 45)
    found = extended(torch.from_numpy(exponentials(inside, *TERMS)), 15, rank=1e-10)
    np.testing.assert_allclose(found, exponentials(wide, *TERMS), atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_as_the_plain_reference(seed: int) -> None:
    """With noise the least squares have one solution; roots of some draws would grow."""
    rng = np.random.default_rng(seed)
    noise = 0.02 * (rng.normal(size=30) + 1j * rng.normal(size=30))
    samples = exponentials(np.arange(30), *TERMS) + noise
    found = extended(torch.from_numpy(samples), 12, order=8, rank=1e-12)
    np.testing.assert_allclose(found, prediction.extended(samples, 12, 8), atol=1e-6)


def test_flat_stays_flat() -> None:
    found = extended(torch.ones(20, dtype=torch.complex128), 10)
    np.testing.assert_allclose(found, np.ones(40), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(6, 24), st.integers(0, 40))
def test_nothing_grows_and_the_samples_stay(seed: int, count: int, ahead: int) -> None:
    samples = torch.randn(count, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))
    found = extended(samples, ahead)
    assert found.shape == (count + 2 * ahead,)
    torch.testing.assert_close(found[ahead : ahead + count], samples)
    assert found.abs().max() < 50 * samples.abs().max()


def test_bad_orders_are_refused() -> None:
    for count, order in ((5, None), (9, 7), (9, 0)):
        with pytest.raises(UserError, match="no prediction"):
            extended(torch.ones(count, dtype=torch.complex128), 3, order)
