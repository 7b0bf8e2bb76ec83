import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.usrnet import data_step as reference

from sr_lab.backbones.data_step import DataStep, transfer_function
from sr_lab.degradation.blur import blur_decimate
from sr_lab.errors import UserError


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@given(
    scale=st.integers(1, 4),
    side=st.sampled_from([3, 5, 7]),
    height=st.integers(7, 10),
    width=st.integers(7, 10),
    alpha=st.floats(1e-3, 10),
)
@settings(max_examples=30, deadline=None)
def test_the_step_is_the_published_one(scale: int, side: int, height: int, width: int, alpha: float):
    lr, kernel = noise(2, 3, height, width), noise(2, 1, side, side, seed=1)
    kernel = kernel / kernel.sum((-2, -1), keepdim=True)
    start = noise(2, 3, height * scale, width * scale, seed=2)
    alphas = torch.tensor([alpha, 2 * alpha], dtype=torch.float64).view(2, 1, 1, 1)
    ours = DataStep(lr, kernel, scale)(start, alphas)
    for b in range(2):
        convolution = kernel[b, 0].flip(0, 1).numpy()  # the published code convolves
        theirs = reference(lr[b].numpy(), convolution, scale, start[b].numpy(), alphas[b].item())
        np.testing.assert_allclose(ours[b].numpy(), theirs, atol=1e-9)


@pytest.mark.parametrize(("scale", "height", "width"), [(2, 9, 8), (3, 5, 7), (4, 5, 5)])
def test_the_step_minimises_its_objective(scale: int, height: int, width: int):
    lr, kernel = noise(1, 2, height, width), noise(1, 1, 7, 7, seed=1) / 30
    start = noise(1, 2, height * scale, width * scale, seed=2)
    alpha = torch.full((1, 1, 1, 1), 0.03, dtype=torch.float64)
    x = DataStep(lr, kernel, scale)(start, alpha).requires_grad_()
    # the blur of the degradation itself, not the step's own
    objective = ((blur_decimate(x, kernel, scale) - lr) ** 2).sum() + alpha.sum() * ((x - start) ** 2).sum()
    (gradient,) = torch.autograd.grad(objective, x)
    assert gradient.abs().max() < 1e-12


def test_the_blur_inside_is_that_of_the_degradation():
    image, kernel = noise(2, 3, 24, 20), noise(2, 1, 9, 9, seed=1)
    step = DataStep(noise(2, 3, 6, 5), kernel, 4)
    torch.testing.assert_close(step.blur(image), blur_decimate(image, kernel, 4))


def test_alpha_weighs_the_start_against_the_data():
    start, kernel = noise(1, 1, 16, 16), noise(1, 1, 5, 5, seed=1) / 12
    lr = noise(1, 1, 8, 8, seed=2)
    step = DataStep(lr, kernel, 2)
    far, near = (
        torch.full((1, 1, 1, 1), value, dtype=torch.float64) for value in (1e-9, 1e9)
    )  # nothing but the data, nothing but the start
    torch.testing.assert_close(step.blur(step(start, far)), lr, atol=1e-5, rtol=0)
    torch.testing.assert_close(step(start, near), start, atol=1e-7, rtol=0)


def test_float32_is_enough():
    lr, kernel = noise(1, 3, 32, 32), noise(1, 1, 19, 19, seed=1) / 180
    start, alpha = noise(1, 3, 128, 128, seed=2), torch.full((1, 1, 1, 1), 1e-2, dtype=torch.float64)
    exact = DataStep(lr, kernel, 4)(start, alpha)
    single = DataStep(lr.float(), kernel.float(), 4)(start.float(), alpha.float())
    torch.testing.assert_close(single.double(), exact, atol=1e-4, rtol=0)


def test_an_image_smaller_than_the_kernel_is_refused():
    with pytest.raises(UserError, match="16x24"):
        transfer_function(noise(1, 1, 19, 19), 16, 24)
