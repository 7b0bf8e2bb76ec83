"""The commuted form of bilinear doubling, batch norm and convolution against the three written out."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from sr_lab.backbones.ops.upsampled_conv import upsampled_norm_conv3x3


def written_out(x: Tensor, scale: Tensor, weight: Tensor) -> Tensor:
    doubled = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    normalised = F.batch_norm(doubled, None, None, scale, None, training=True, eps=1e-5)
    return F.conv2d(F.pad(normalised, (1, 1, 1, 1), mode="reflect"), weight.permute(0, 3, 1, 2))


def centred(y: Tensor) -> Tensor:
    """Without the constant per channel that the short form leaves open."""
    return y - y.mean((2, 3), keepdim=True)


def draw(
    height: int, width: int, channels: int, filters: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height * 100 + width)
    x = torch.randn(1, channels, height, width, generator=generator, dtype=dtype)
    scale = torch.randn(channels, generator=generator, dtype=dtype)
    weight = torch.randn(filters, 3, 3, channels, generator=generator, dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last), scale, weight


@settings(max_examples=25, deadline=None)
@given(height=st.integers(2, 12), width=st.integers(2, 12))
def test_equals_the_form_written_out_at_any_size(height: int, width: int) -> None:
    inputs = draw(height, width, 3, 4)
    ours, plain = upsampled_norm_conv3x3(*inputs), written_out(*inputs)
    torch.testing.assert_close(centred(ours), centred(plain), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [(5, 7), (2, 3)])
def test_gradients_are_exact(size: tuple[int, int]) -> None:
    inputs = tuple(t.requires_grad_() for t in draw(*size, 2, 3))
    assert torch.autograd.gradcheck(upsampled_norm_conv3x3, inputs)


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_float32_result_and_gradients_match_also_far_from_zero_mean(offset: float) -> None:
    x, scale, weight = draw(32, 24, 64, 48, torch.float32)
    inputs = ((x + offset).requires_grad_(), scale.requires_grad_(), weight.requires_grad_())
    double = tuple(t.detach().double().requires_grad_() for t in inputs)
    # the batch norm that follows hides constants from the gradient too
    upstream = centred(torch.randn(1, 48, 64, 48, generator=torch.Generator().manual_seed(0)))
    ours, exact = upsampled_norm_conv3x3(*inputs), written_out(*double)
    tolerance = 1e-5 * (1 + offset)
    assert (centred(ours) - centred(exact)).norm() < tolerance * centred(exact).norm()
    grads = torch.autograd.grad(ours, inputs, upstream)
    exact_grads = torch.autograd.grad(exact, double, upstream.double())
    for grad, exact_grad in zip(grads, exact_grads, strict=True):
        assert (grad - exact_grad).norm() < tolerance * exact_grad.norm()
