"""The LSRGAN generator: counts, what it starts from, what it reads; and the discriminator."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_lab.backbones.lsrgan import LSRGAN, CoordinateAttention, Discriminator, PixelShuffle
from sr_lab.backbones.trained import network_from
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.weights.keep import recognise
from sr_lab.weights.store import Checkpoint


def keyed(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stirred(net: LSRGAN) -> LSRGAN:
    """As if trained, and the same every time: no layer gives nothing."""
    generator = keyed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.03 * torch.randn(parameter.shape, generator=generator))
    return net.eval()


def test_parameters_by_hand():
    width, blocks = 64, 8
    ds = width * 9 + width + width**2 + width
    attention = (width * 8 + 8) + 2 * (8 * width + width)
    head, tail, up = 81 * width + width, 81 * width + 1, 9 * width * 4 * width + 4 * width
    expected = head + blocks * (2 * ds + attention) + ds + 2 * up + tail
    assert sum(p.numel() for p in LSRGAN(4, width, blocks).parameters()) == expected == 400_833


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_untrained_it_is_bicubic_of_decibels(scale: int):
    amplitude = torch.rand(2, 1, 12, 10, generator=keyed()) + 0.1
    decibels = 20 * torch.log10(amplitude)
    expected = 10 ** ((imresize(decibels, scale) if scale > 1 else decibels) / 20)
    torch.testing.assert_close(LSRGAN(scale, 16, 1)(amplitude), expected, rtol=1e-4, atol=1e-5)


def test_a_gain_within_its_range_does_not_change_what_is_below_it():
    net = LSRGAN(2, 16, 1, low=-20, high=10)
    dark = net(torch.full((1, 1, 8, 8), 1e-6))
    torch.testing.assert_close(20 * torch.log10(dark), torch.full((1, 1, 16, 16), -20.0), atol=1e-3, rtol=0)


def test_amplitude_of_complex_images_is_what_it_reads():
    net, image = stirred(LSRGAN(2, 16, 2)), torch.randn(1, 2, 12, 12, generator=keyed())
    torch.testing.assert_close(net(image), net(image.norm(dim=1, keepdim=True)), rtol=1e-4, atol=1e-5)


def test_parts_are_read_one_by_one_and_their_intensity_averaged():
    net, image = stirred(LSRGAN(2, 16, 2, reads="parts")), torch.randn(1, 2, 12, 12, generator=keyed())
    torch.testing.assert_close(net(image), net(image.flip(1)))
    alone = stirred(LSRGAN(2, 16, 2))
    mean = torch.stack([alone(2**0.5 * image[:, [part]].abs()).square() for part in (0, 1)]).mean(0)
    torch.testing.assert_close(net(image), mean.sqrt(), rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match="reads the real and the imaginary part"):
        net(image[:, :1])


def test_attention_knows_rows_from_columns():
    layer = CoordinateAttention(16)
    image = torch.rand(1, 16, 6, 9, generator=keyed())
    assert layer(image).shape == image.shape
    weights = layer(image) / image
    rows, columns = weights[..., :1], weights[..., :1, :]
    torch.testing.assert_close(weights * weights[..., :1, :1], rows * columns)  # a product of one of each


def test_checkpoint_says_what_it_is():
    net = stirred(LSRGAN(2, 16, 2, attention=False, reads="parts"))
    checkpoint = Checkpoint(net.state_dict(), net.architecture)
    assert recognise(checkpoint, "x")[0] == "lsrgan"
    again, image = network_from(checkpoint, "x"), torch.randn(1, 2, 12, 12, generator=keyed())
    torch.testing.assert_close(again(image), net(image))


def test_discriminator_is_srgans_and_lipschitz():
    full = Discriminator(64)
    convolutions = [m for m in full.features if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [m.stride[0] for m in convolutions] == [1, 2] * 4
    small = Discriminator(8)
    for _ in range(30):
        assert small(torch.rand(2, 1, 32, 32, generator=keyed())).shape == (2,)
    first = next(m for m in small.features if isinstance(m, torch.nn.Conv2d))
    assert torch.linalg.matrix_norm(first.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("axes", [[4, 2], [4, 1], [1, 2], [3, 2], [2, 8]])
def test_axes_are_enlarged_by_their_own_factors(axes: list[int]):
    net = LSRGAN(max(axes), 16, 1, axes=axes)
    amplitude = torch.rand(2, 1, 12, 10, generator=keyed()) + 0.1
    size = (12 * axes[0], 10 * axes[1])
    expected = 10 ** (imresize(20 * torch.log10(amplitude), size) / 20)
    torch.testing.assert_close(net(amplitude), expected, rtol=1e-4, atol=1e-5)
    assert stirred(net)(amplitude).shape[-2:] == size


def test_stages_double_both_axes_and_then_the_one_that_is_left():
    width = 64
    grown = [
        layer.weight.shape[0] // width
        for layer in LSRGAN(8, width, 1, axes=[8, 2]).upsample
        if isinstance(layer, torch.nn.Conv2d)
    ]
    assert grown == [4, 2, 2]
    saved = 2 * width * (9 * width + 1)  # of one stage's convolution, which has half the channels
    counts = [sum(p.numel() for p in LSRGAN(4, width, 8, axes=axes).parameters()) for axes in (None, [4, 2])]
    assert counts == [400_833, 400_833 - saved]


@given(down=st.integers(1, 4), across=st.integers(1, 4), channels=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_pixels_are_shuffled_one_by_one(down: int, across: int, channels: int):
    image = torch.rand(1, channels * down * across, 3, 5, generator=keyed())
    found = PixelShuffle(down, across)(image)
    assert found.shape == (1, channels, 3 * down, 5 * across)
    for c, y, x in itertools.product(range(channels), range(3 * down), range(5 * across)):
        channel = (c * down + y % down) * across + x % across
        assert found[0, c, y, x] == image[0, channel, y // down, x // across]


def test_axes_are_kept_with_the_weights_and_serve_their_images_alone():
    net = stirred(LSRGAN(4, 16, 2, axes=[4, 2]))
    checkpoint = Checkpoint(net.state_dict(), net.architecture)
    assert "at x4 in rows and x2 in columns" in recognise(checkpoint, "x")[1]
    again, image = network_from(checkpoint, "x"), torch.rand(1, 1, 12, 12, generator=keyed())
    torch.testing.assert_close(again(image), net(image))
    again.serve((4, 2))
    with pytest.raises(UserError, match=r"x4 in rows and x2 in columns, these images ask for x4"):
        again.serve((4, 4))
    before = {key: value for key, value in LSRGAN(2, 16, 2).architecture.items() if key != "axes"}
    assert network_from(Checkpoint(LSRGAN(2, 16, 2).state_dict(), before), "x").factors == (2, 2)
    with pytest.raises(UserError, match=r"backbone\.axes: \[4, 2\] are no factors at scale x2"):
        LSRGAN(2, axes=[4, 2])
    with pytest.raises(UserError, match="does not serve scale x5"):
        LSRGAN(8, axes=[8, 5])
