"""The published networks joined: keys, wrappers, and a chain from LR to SR."""

from pathlib import Path

import pytest
import torch

from sr_lab.backbones import published_diffusion
from sr_lab.backbones.published_diffusion import PublishedDiffusion, load_published, unwrapped
from sr_lab.backbones.swin_unet import SwinUNet
from sr_lab.backbones.vq_autoencoder import VQAutoencoder
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.errors import UserError
from sr_lab.methods.diffusion import Diffusion
from sr_lab.methods.fit_diffusion import FitDiffusion


def small(channels: int = 1) -> PublishedDiffusion:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        denoiser = SwinUNet(3, 3, 8, (1, 2), 1, 8, 2, window=2, built=8)
        return PublishedDiffusion(channels, denoiser, VQAutoencoder(width=8, codes=16), steps=4)


def test_both_published_sizes():
    with torch.device("meta"):
        net = PublishedDiffusion()
    parts = (net.denoiser, net.autoencoder)
    assert [sum(p.numel() for p in part.parameters()) for part in parts] == [118_593_583, 55_322_782]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_chain_from_lr_to_sr(channels: int):
    method = Diffusion(small(channels).eval(), 2)
    method.bind(Degradation(4, None, anchor="block_center"), seed=0)
    lr = torch.rand(1, channels, 9, 13, generator=torch.Generator().manual_seed(0))
    assert method.restore(Sample(lr, 4, ["a"])).sr.shape == (1, channels, 36, 52)


def test_checkpoints_as_they_are_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    net = small()
    unet, vq = tmp_path / "unet.pth", tmp_path / "vq.pth"
    torch.save(
        {"state_dict": {f"module._orig_mod.{k}": v for k, v in net.denoiser.state_dict().items()}}, unet
    )
    torch.save(net.autoencoder.state_dict(), vq)
    monkeypatch.setattr(published_diffusion, "PublishedDiffusion", lambda channels: small(channels))
    found = load_published(str(unet), str(vq))
    assert all(torch.equal(value, found.state_dict()[key]) for key, value in net.state_dict().items())
    with pytest.raises(UserError, match="do not fit"):
        load_published(str(vq), str(unet))


def test_prefixes_of_wrappers():
    assert set(unwrapped({"module._orig_mod.out.2.bias": torch.zeros(1), "modules.x": torch.zeros(1)})) == {
        "out.2.bias",
        "modules.x",
    }


def test_other_channels_are_refused():
    with pytest.raises(UserError, match="grey or colour"):
        PublishedDiffusion(5)


def test_training_is_for_networks_that_a_checkpoint_can_rebuild():
    with pytest.raises(UserError, match="not trained"):
        FitDiffusion(small(), 1)
