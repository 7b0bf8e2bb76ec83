import pytest
import torch
from torch.nn import functional as F

from sr_lab.backbones.residual import ResidualNet
from sr_lab.backbones.trained import network_from
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.weights.store import Checkpoint


def small(channels: int = 4, width: int = 8, scale: int = 2, **options: object) -> ResidualNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ResidualNet(channels, width, 2, scale, **options)  # pyright: ignore[reportArgumentType]


def cubes(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def plain(state: dict[str, torch.Tensor], lr: torch.Tensor, scale: int, share: float) -> torch.Tensor:
    """EDSR, layer by layer."""

    def conv(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    x = start = conv("head", lr)
    for block in range(2):
        x = x + share * conv(f"body.{block}.conv2", F.relu(conv(f"body.{block}.conv1", x)))
    x = conv("body.2", x) + start
    for stage, factor in enumerate({1: [], 2: [2], 3: [3], 4: [2, 2], 8: [2, 2, 2]}[scale]):
        x = F.pixel_shuffle(conv(f"upsample.{2 * stage}", x), factor)
    return conv("tail", x)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_equals_its_layers(scale: int):
    net, lr = small(scale=scale, residual="none", share=0.3), cubes(2, 4, 5, 7)
    torch.testing.assert_close(net(lr), plain(net.state_dict(), lr, scale, 0.3), atol=1e-6, rtol=1e-5)


def test_without_gradients_wide_layers_take_another_way_to_the_same():
    net, lr = small(width=64, residual="none"), cubes(2, 4, 18, 21)
    with torch.no_grad():
        found = net(lr)
    torch.testing.assert_close(found, plain(net.state_dict(), lr, 2, 1.0), atol=1e-5, rtol=0)


def test_starts_at_bicubic():
    lr = cubes(1, 4, 6, 5)
    torch.testing.assert_close(small()(lr), imresize(lr, 2))


def test_a_checkpoint_rebuilds_the_net():
    net = small(3, 8, 4, share=0.1)
    again = network_from(Checkpoint(net.state_dict(), net.architecture), "here")
    assert again.architecture == net.architecture


def test_other_scales_are_refused():
    with pytest.raises(UserError, match="x5"):
        small(scale=5)
