"""The losses of supervised training against plain loops, their slopes, and their sum by name."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import losses as reference

from sr_lab.errors import UserError
from sr_lab.losses.weighted import LOSSES, WeightedLosses


def pair(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(shape, generator=generator, dtype=dtype) + 0.05
    return x, x + 0.2 * torch.rand(shape, generator=generator, dtype=dtype)


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=15, deadline=None)
@given(bands=st.integers(1, 6), height=st.integers(1, 5), width=st.integers(1, 5), seed=st.integers(0, 10**6))
def test_equals_its_definition_image_by_image(name: str, bands: int, height: int, width: int, seed: int):
    sr, hr = pair(2, bands, height, width, seed=seed)
    found = LOSSES[name](sr, hr)
    expected = [getattr(reference, name)(a.numpy(), b.numpy()) for a, b in zip(sr, hr, strict=True)]
    # what keeps slopes finite costs up to 0.08 degrees of an angle, and 1e-3 of a gradient's length
    loose = {"spectral_angle": 5e-4, "gradient_l1": 1e-3}.get(name, 1e-12)
    assert found.tolist() == pytest.approx(expected, abs=loose)


@pytest.mark.parametrize("name", LOSSES)
def test_its_slope_is_that_of_differences(name: str):
    sr, hr = pair(2, 4, 3, 3)
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, hr), sr.requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("case", ["equal", "dark", "both dark", "opposite", "tiny"])
def test_its_slope_is_finite_where_it_could_not_be(name: str, case: str):
    sr, hr = pair(1, 4, 3, 3, dtype=torch.float32)
    if case == "equal":
        sr = hr.clone()
    if "dark" in case:
        sr = torch.zeros_like(sr)
        hr = hr if case == "dark" else sr.clone()
    if case == "opposite":
        sr = -hr
    if case == "tiny":
        sr = 1e-12 * sr
    value = LOSSES[name](sr.requires_grad_(), hr)
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert sr.grad is not None
    assert torch.isfinite(sr.grad).all()
    assert sr.grad.abs().max() < 1e5


def test_the_angle_knows_no_brightness():
    sr, hr = pair(1, 5, 4, 4)
    angle = LOSSES["spectral_angle"]
    torch.testing.assert_close(angle(3 * sr, hr), angle(sr, hr))
    assert angle(hr, hr).item() == pytest.approx(0, abs=5e-4)
    right = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
    assert angle(*right).item() == pytest.approx(0.5)


def test_terms_are_summed_by_weight():
    sr, hr = pair(3, 4, 5, 5)
    total, terms = WeightedLosses({"l1": 1.0, "spectral_angle": 0.3, "gradient_l1": 0.0})(sr, hr)
    assert list(terms) == ["l1", "spectral_angle"]
    for name, value in terms.items():
        torch.testing.assert_close(value, LOSSES[name](sr, hr).mean())
    torch.testing.assert_close(total, terms["l1"] + 0.3 * terms["spectral_angle"])


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"spectral_angel": 1.0}, "did you mean 'spectral_angle'.*gradient_l1"),
        ({"l1": -1.0}, r"losses\.l1.*negative"),
        ({"l1": 0.0}, "no loss"),
        ({}, "no loss"),
    ],
)
def test_what_makes_no_sense_is_told(weights: dict[str, float], said: str):
    with pytest.raises(UserError, match=said):
        WeightedLosses(weights)
