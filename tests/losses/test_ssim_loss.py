import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import metrics as reference

from sr_lab.losses.ssim import ssim, ssim_map


def pair(seed: int, *shape: int):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(shape, generator=generator)
    return x, (x + 0.3 * torch.rand(shape, generator=generator)).clamp(0, 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3]), st.integers(6, 40), st.integers(6, 40))
def test_agrees_with_a_zero_padded_window_by_hand(seed: int, channels: int, height: int, width: int):
    x, y = pair(seed, 2, channels, height, width)
    for i in range(2):
        a, b = (v[i].numpy().transpose(1, 2, 0) for v in (x, y))
        assert float(ssim(x, y)[i]) == pytest.approx(reference.ssim_zero_padded(a, b), abs=2e-5)


def test_map_keeps_the_size_or_the_whole_windows():
    x, y = pair(0, 1, 3, 20, 23)
    assert ssim_map(x, y).shape == (1, 3, 20, 23)
    valid = ssim_map(255 * x, 255 * y, padding="valid", data_range=255.0)
    assert valid.shape == (1, 3, 10, 13)
    torch.testing.assert_close(valid, ssim_map(x, y)[..., 5:-5, 5:-5], rtol=1e-4, atol=1e-5)


def test_one_for_equal_images_and_less_otherwise():
    x, y = pair(1, 3, 3, 32, 32)
    torch.testing.assert_close(ssim(x, x), torch.ones(3))
    assert (ssim(x, y) < 0.999).all()
    torch.testing.assert_close(ssim(x, y), ssim(y, x))


def test_gradient_is_the_derivative():
    x, y = (v.double() for v in pair(2, 1, 1, 7, 8))
    assert torch.autograd.gradcheck(ssim, (x.requires_grad_(), y.requires_grad_()))


def test_descent_on_the_loss_restores_the_image():
    x, y = pair(3, 1, 1, 16, 16)
    x.requires_grad_()
    optimiser = torch.optim.Adam([x], lr=0.02)
    start = float(ssim(x, y).detach())
    for _ in range(60):
        optimiser.zero_grad()
        (1 - ssim(x, y)).sum().backward()
        optimiser.step()
    assert float(ssim(x, y).detach()) > max(start, 0.99)


def test_half_precision_and_autocast_are_computed_in_float32():
    x, y = (v.bfloat16() for v in pair(4, 1, 3, 24, 24))
    expected = ssim(x.float(), y.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(ssim(x, y), expected)
    assert torch.equal(ssim(x, y), expected)


def test_trains_after_a_first_call_under_inference_mode():
    x, y = pair(5, 1, 1, 12, 12)
    with torch.inference_mode():
        ssim(x, y)
    ssim(x.clone().requires_grad_(), y).sum().backward()
