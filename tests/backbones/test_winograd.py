"""Winograd convolution against torch's own, in double precision and at float32 tolerance."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from sr_lab.backbones.ops.conv import Conv3x3
from sr_lab.backbones.ops.winograd import reflect_conv3x3, transforms, zero_conv3x3


def direct(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight.permute(0, 3, 1, 2))


def draw(
    height: int, width: int, channels: int, filters: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height * 100 + width)
    x = torch.randn(1, channels, height, width, generator=generator, dtype=dtype)
    weight = torch.randn(filters, 3, 3, channels, generator=generator, dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last), weight


@settings(max_examples=25, deadline=None)
@given(height=st.integers(2, 13), width=st.integers(2, 13))
def test_equals_the_direct_convolution_at_any_size(height: int, width: int) -> None:
    x, weight = draw(height, width, 3, 5)
    torch.testing.assert_close(reflect_conv3x3(x, weight), direct(x, weight), rtol=1e-11, atol=1e-11)


def test_gradients_are_exact() -> None:
    x, weight = draw(6, 9, 2, 3)
    assert torch.autograd.gradcheck(reflect_conv3x3, (x.requires_grad_(), weight.requires_grad_()))


def test_float32_error_is_within_three_times_that_of_the_direct_form() -> None:
    x, weight = draw(64, 64, 128, 128, torch.float32)
    exact = direct(x.double(), weight.double())
    ours, plain = ((f(x, weight) - exact).norm() / exact.norm() for f in (reflect_conv3x3, direct))
    assert ours < 3 * plain
    assert ours < 3e-6


def test_float32_gradients_match_the_direct_form() -> None:
    x, weight = draw(32, 36, 64, 48, torch.float32)
    upstream = torch.randn(1, 48, 32, 36, generator=torch.Generator().manual_seed(0))
    inputs = (x.requires_grad_(), weight.requires_grad_())
    ours = torch.autograd.grad(reflect_conv3x3(*inputs), inputs, upstream)
    plain = torch.autograd.grad(direct(*inputs), inputs, upstream)
    for a, b in zip(ours, plain, strict=True):
        assert (a - b).norm() < 1e-5 * b.norm()


def test_the_result_lies_in_channels_last_memory() -> None:
    # a stray stride sends the batch norm that follows down a path three times slower
    x, weight = draw(64, 64, 64, 64, torch.float32)
    y = reflect_conv3x3(x, weight)
    assert y.stride() == x.stride()


def test_a_delta_filter_passes_the_image_through() -> None:
    x, _ = draw(8, 8, 2, 2)
    weight = torch.zeros(2, 3, 3, 2, dtype=x.dtype)
    weight[0, 1, 1, 0] = weight[1, 1, 1, 1] = 1
    torch.testing.assert_close(reflect_conv3x3(x, weight), x)


def test_transforms_have_the_shapes_of_f4x4_3x3() -> None:
    assert [tuple(t.shape) for t in transforms(torch.float32)] == [(36, 36), (36, 9), (16, 36)]


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 3),
    height=st.integers(1, 23),
    width=st.integers(1, 23),
    channels=st.integers(1, 5),
    bias=st.booleans(),
    channels_last=st.booleans(),
)
def test_zero_padding_is_a_convolution(
    batch: int, height: int, width: int, channels: int, bias: bool, channels_last: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, channels, height, width, generator=generator, dtype=torch.float64)
    weight = torch.randn(4, channels, 3, 3, generator=generator, dtype=torch.float64)
    shift = torch.randn(4, generator=generator, dtype=torch.float64) if bias else None
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(zero_conv3x3(x, weight, shift), F.conv2d(x, weight, shift, padding=1))


def test_zero_padding_in_strips_leaves_channels_last_memory() -> None:
    x = torch.randn(2, 64, 40, 300, generator=torch.Generator().manual_seed(0))
    conv = Conv3x3(64, 96)
    direct = torch.nn.Conv2d.forward(conv, x)
    with torch.no_grad():
        found = conv(x)
    assert found.permute(0, 2, 3, 1).flatten(1, 2).is_contiguous()
    torch.testing.assert_close(found, direct, atol=2e-5, rtol=0)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert conv(x).dtype == torch.bfloat16
    assert conv(x).requires_grad
