"""Distance in the features of a frozen network."""

from pathlib import Path

import pytest
import torch

from sr_lab.backbones.feature_distance import sr_features, vgg_features
from sr_lab.backbones.residual import ResidualNet
from sr_lab.errors import UserError
from sr_lab.weights.store import Checkpoint, save_checkpoint


def images(count: int, seed: int) -> torch.Tensor:
    return torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def weights(tmp_path: Path) -> str:
    net = ResidualNet(1, width=8, blocks=3, scale=2)
    save_checkpoint(tmp_path / "net.pt", Checkpoint(net.state_dict(), net.architecture))
    return str(tmp_path / "net.pt")


def test_equal_images_are_at_no_distance_and_each_image_counts_alone(weights: str) -> None:
    distance = sr_features(weights, 2)
    sr, hr = images(3, 0), images(3, 1)
    assert distance(hr, hr).abs().max() == 0
    found = distance(sr, hr)
    assert bool((found > 0).all())
    torch.testing.assert_close(distance(sr[1:2], hr[1:2]), found[1:2])


def test_gradients_reach_the_image_and_no_weight(weights: str) -> None:
    distance = sr_features(weights, 2).train()
    sr = images(1, 0).requires_grad_()
    distance(sr, images(1, 1)).sum().backward()
    assert sr.grad is not None
    assert sr.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in distance.parameters())
    assert not distance.training


def test_vgg_is_read_by_its_keys(tmp_path: Path) -> None:
    from torchvision.models import vgg16

    with torch.random.fork_rng(devices=[]):
        state = {k: v for k, v in vgg16(weights=None).state_dict().items() if k.startswith("features.")}
    save_checkpoint(tmp_path / "vgg.pt", Checkpoint(state, {}))
    distance = vgg_features(str(tmp_path / "vgg.pt"))
    assert distance(images(1, 0), images(1, 1)).item() > 0
    assert distance.layers(images(1, 0)).shape[1] == 512


def test_other_weights_are_told(weights: str) -> None:
    with pytest.raises(UserError, match="9 residual blocks"):
        sr_features(weights, 9)
    with pytest.raises(UserError, match="VGG"):
        vgg_features(weights)
