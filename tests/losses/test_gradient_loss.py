"""The gradient penalty against its plain form, and what it is for."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import dip_dkp

from sr_lab.losses.gradient import MARGIN, gradient_penalty


def images(n: int, height: int = 9, width: int = 12, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, height, width, generator=generator, dtype=torch.float64)


def test_equals_four_convolutions() -> None:
    image = images(1).float()
    assert gradient_penalty(image, 0.67).item() == pytest.approx(
        dip_dkp.gradient_penalty(image).item(), rel=1e-5
    )


def test_each_image_has_its_own() -> None:
    image = images(3)
    alone = torch.cat([gradient_penalty(one[None], 0.67) for one in image])
    torch.testing.assert_close(gradient_penalty(image, 0.67), alone)


@settings(deadline=None, max_examples=25)
@given(exponent=st.floats(0.3, 1.0), scale=st.floats(0.1, 10.0))
def test_scales_with_the_power(exponent: float, scale: float) -> None:
    image = images(1)
    ratio = gradient_penalty(scale * image, exponent) / gradient_penalty(image, exponent)
    assert ratio.item() == pytest.approx(scale**exponent, rel=1e-4)


def test_a_flat_image_costs_nothing_and_has_a_finite_slope() -> None:
    image = torch.full((1, 3, 8, 8), 0.5, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty(image, 0.67)
    assert penalty.item() == pytest.approx(4 * 3 * 64 * MARGIN**0.67)
    penalty.backward()
    assert image.grad is not None
    assert image.grad.abs().max() == 0


def test_its_slope_is_that_of_differences() -> None:
    assert torch.autograd.gradcheck(lambda x: gradient_penalty(x, 0.67), images(1, 4, 5).requires_grad_())
