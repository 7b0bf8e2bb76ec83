import pytest
import torch

from sr_lab.backbones.vq_autoencoder import VQAutoencoder


def small() -> VQAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return VQAutoencoder(1, 8, (1, 1, 2), 1, 3, 32)


def test_the_published_size():
    with torch.device("meta"):
        net = VQAutoencoder()
    sizes = [sum(p.numel() for p in part.parameters()) for part in (net, net.encoder, net.decoder)]
    assert [size / 1e6 for size in sizes] == pytest.approx([55.3228, 22.3374, 32.9608], abs=1e-4)
    state = net.state_dict()
    assert state["quantize.embedding.weight"].shape == (8192, 3)
    assert {key.split(".")[0] for key in state} == {
        *("encoder", "decoder", "quantize", "quant_conv", "post_quant_conv")
    }
    assert {"encoder.down.1.downsample.conv.weight", "decoder.up.2.upsample.conv.weight"} <= set(state)


def test_a_quarter_of_the_side_and_back():
    net, image = small(), torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(0))
    z = net.encode(image)
    assert z.shape == (2, 3, 4, 6)
    assert net.decode(z).shape == image.shape


def test_the_nearest_code_with_a_slope_that_passes():
    net, z = small(), torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = net.quantize(z)
    codes = net.quantize.embedding.weight
    for value, given in zip(found.movedim(1, -1).flatten(0, 2), z.movedim(1, -1).flatten(0, 2), strict=True):
        torch.testing.assert_close(value, codes[(codes - given).square().sum(1).argmin()])
    found.sum().backward()
    assert z.grad is not None
    assert bool((z.grad == 1).all())
