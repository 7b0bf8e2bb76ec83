"""Supervised training of image-to-image networks: on bands and on eigenimages, what it leaves, and tiles."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from sr_lab.backbones.eigenimages import Eigenimages, basis_of
from sr_lab.backbones.essaformer import ESSAformer
from sr_lab.backbones.image_to_image import ImageToImage
from sr_lab.backbones.residual import ResidualNet
from sr_lab.backbones.trained import network_from
from sr_lab.data.images import Images
from sr_lab.data.module import SRData
from sr_lab.data.patches import Patches
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.corruptions import GaussianNoise
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.resample import bicubic_upsample_aligned, imresize
from sr_lab.errors import UserError
from sr_lab.methods.ema import EMA
from sr_lab.methods.feedforward import Feedforward, enlarged
from sr_lab.methods.fit_feedforward import FitFeedforward
from sr_lab.tracking.progress import quiet


class Cubes:
    """Made-up cubes: three materials with smooth spectra in patches with sharp edges."""

    def __init__(self, bands: list[int], side: int = 40) -> None:
        self.ids = [f"cube{index}" for index in range(len(bands))]
        self.cubes = [self._cube(number, side, index) for index, number in enumerate(bands)]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.cubes[index]

    @staticmethod
    def _cube(bands: int, side: int, seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand(1, 3, side // 4, side // 4, generator=generator)
        fine = (imresize(coarse, 4) > 0.5).float() + 0.2 * imresize(coarse, 4)
        spectra = imresize(torch.rand(1, 1, 3, 4, generator=generator), (3, bands))[0, 0].abs()
        return torch.einsum("khw,kc->chw", fine[0], spectra).clamp(0, 4) / 4


def network(kind: str, channels: int = 4) -> ImageToImage:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = (
            ESSAformer(channels, 8, 2, residual="bicubic")
            if "essaformer" in kind
            else ResidualNet(channels, 8, 1, 2)
        )
        return Eigenimages(net) if "eigen" in kind else net


def bicubic(scale: int = 2) -> Degradation:
    return Degradation(scale, None, anchor="block_center")


def method(kind: str = "residual", steps: int = 6, **options: Any) -> FitFeedforward:
    weights = {"l1": 1.0, "spectral_angle": 0.1}
    module = FitFeedforward(network(kind), steps, weights, **{"lr": 4e-3, "warmup": 2, **options})
    module.bind(bicubic(), seed=5)
    return module


def data(bands: list[int], batches: int = 3) -> SRData:
    return SRData(
        Cubes(bands),
        bicubic(),
        patch_size=16,
        patches_per_batch=3,
        batches_per_epoch=batches,
        one_image_batches=len(set(bands)) > 1,
        validation=Cubes(bands[:1], 24),
    )


def fit(
    module: FitFeedforward,
    folder: Path,
    bands: list[int],
    steps: int = 6,
    resume: bool = False,
    **options: Any,
):
    quiet()
    warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")  # ours go on where they stopped
    keep = ModelCheckpoint(folder, "last", save_on_exception=True, enable_version_counter=False)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        logger=False,
        callbacks=[EMA(0.8), keep],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        gradient_clip_val=1.0,
        default_root_dir=folder,
        limit_val_batches=1,
    )
    trainer.fit(module, data(bands, **options), ckpt_path=folder / "last.ckpt" if resume else None)
    return trainer


def psnr(module: FitFeedforward, images: Images) -> float:
    error = []
    for index, image_id in enumerate(images.ids):
        hr = images[index][None]
        error.append((module.restore(Sample(imresize(hr, 0.5), 2, [image_id])).sr - hr).square().mean())
    return float(-10 * torch.log10(torch.stack(error).mean()))


@pytest.mark.parametrize(
    ("kind", "bands"), [("residual", [4, 4]), ("residual_eigen", [6, 3, 9]), ("essaformer_eigen", [6, 3])]
)
def test_training_beats_bicubic(tmp_path: Path, kind: str, bands: list[int]):
    eigen = "eigen" in kind
    module = method(kind, 150, one_cube=eigen, lr=1e-2)
    before = psnr(module, Cubes(bands))
    trainer = fit(module, tmp_path, bands, 150, batches=30)
    assert psnr(module, Cubes(bands)) > before + 0.05
    assert {"val_psnr", "loss", "l1", "spectral_angle"} <= set(trainer.callback_metrics)
    again = network_from(module.checkpoint(), "here")
    lr = torch.rand(1, bands[0], 9, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(again(lr), module.network.eval()(lr))
    assert again.architecture == network(kind).architecture


def test_training_goes_on_where_it_stopped(tmp_path: Path):
    whole, rest = (method("residual_eigen", one_cube=True) for _ in range(2))
    fit(whole, tmp_path / "whole", [5, 3])
    fit(method("residual_eigen", one_cube=True), tmp_path / "parts", [5, 3], steps=4)
    assert fit(rest, tmp_path / "parts", [5, 3], resume=True).global_step == 6
    for one, other in zip(rest.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_batches_of_one_image_may_differ_in_bands():
    def batches(done: int) -> list[torch.Tensor]:
        return list(Patches(Cubes([6, 3, 9]), 16, 4, seed=0, batches=12, one_image=True, done=done))

    assert {tuple(batch.shape) for batch in batches(0)} == {(4, bands, 16, 16) for bands in (6, 3, 9)}
    assert all(torch.equal(one, other) for one, other in zip(batches(0)[7:], batches(7), strict=True))


def test_a_batch_of_one_cube_shares_a_basis(monkeypatch: pytest.MonkeyPatch):
    module = method("residual_eigen", one_cube=True)
    monkeypatch.setattr(module, "log", lambda *args, **kwargs: None)
    monkeypatch.setattr(module, "log_dict", lambda *args, **kwargs: None)
    seen: list[torch.Tensor] = []
    net = module.network
    assert isinstance(net, Eigenimages)
    net.network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    hr = torch.stack([Cubes([6])[0][:, top : top + 16, :16] for top in (0, 8, 20)])
    lr = imresize(hr, 0.5)
    module.loss(bicubic().degrade(hr, torch.Generator()), bicubic(), hr)
    torch.testing.assert_close(seen[0], basis_of(lr, 4, shared=True).eigenimages(lr))


def test_degradations_take_turns_and_patches_need_not_fit_them(monkeypatch: pytest.MonkeyPatch):
    noisy = Degradation(2, GaussianKernels(2), [GaussianNoise(0.1, 0.1)])
    module = method(degradations=[bicubic(), noisy])
    monkeypatch.setattr(module, "log", lambda *args, **kwargs: None)
    monkeypatch.setattr(module, "log_dict", lambda *args, **kwargs: None)
    seen: list[torch.Tensor] = []
    module.backbone.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    hr = torch.full((2, 4, 17, 17), 0.5)
    for step in range(3):
        monkeypatch.setattr(FitFeedforward, "global_step", step)
        assert torch.isfinite(module.training_step(hr, step))
    assert [tuple(lr.shape) for lr in seen] == [(2, 4, 8, 8)] * 3
    assert [bool(lr.std() > 0.05) for lr in seen] == [False, True, False]
    with pytest.raises(UserError, match=r"degradations\[1\].*x2|x3"):
        method(degradations=[bicubic(), bicubic(3)])


@pytest.mark.parametrize(
    ("anchor", "phase"), [("block_center", 0), ("block_center", 1), ("fkp", 0), ("fkp", 1)]
)
def test_the_result_lies_on_the_degradations_grid(anchor: Any, phase: int):
    chain = Degradation(2, GaussianKernels(2, anchor=anchor), anchor=anchor, phase=phase)
    module = Feedforward(network("residual").eval())
    module.bind(chain, seed=0)
    lr = torch.rand(1, 4, 8, 9, generator=torch.Generator().manual_seed(0))
    found = module.restore(Sample(lr, 2, ["a"]))
    torch.testing.assert_close(found.sr, bicubic_upsample_aligned(lr, 2, anchor, phase))
    assert found.seconds > 0


@pytest.mark.parametrize("kind", ["residual", "residual_eigen"])
def test_tiles_of_a_local_network_are_the_whole(kind: str):
    net = network(kind).eval()
    inner = net.network if isinstance(net, Eigenimages) else net
    assert isinstance(inner, ResidualNet)
    torch.nn.init.normal_(inner.tail.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    lr = imresize(Cubes([4 if kind == "residual" else 7], 72)[0][None], 0.5)
    whole = enlarged(net, Sample(lr, 2, ["a"]), bicubic(), None)
    tiled = enlarged(net, Sample(lr, 2, ["a"]), bicubic(), 16)
    inside = (
        ...,
        slice(16, -16),
        slice(16, -16),
    )  # at its own edge a network reads zeros, a tile the mirrored image
    torch.testing.assert_close(tiled[inside], whole[inside], atol=1e-5, rtol=1e-4)
    assert (whole - imresize(lr, 2)).abs().max() > 0.05


def test_tiles_of_essaformer_are_nearly_the_whole():
    net = network("essaformer").eval()
    assert isinstance(net, ESSAformer)
    torch.nn.init.normal_(net.conv_last.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    lr = imresize(Cubes([4], 96)[0][None], 0.5)
    whole, tiled = (enlarged(net, Sample(lr, 2, ["a"]), bicubic(), tile) for tile in (None, 24))
    added = whole - imresize(lr, 2)
    inside = (..., slice(16, -16), slice(16, -16))
    assert (tiled - whole)[inside].square().mean().sqrt() < 0.05 * added[inside].square().mean().sqrt()


def test_what_does_not_fit_is_told():
    with pytest.raises(UserError, match=r"x2.*x4"):
        enlarged(network("residual"), Sample(torch.rand(1, 4, 8, 8), 4, ["a"]), bicubic(4))
    with pytest.raises(UserError, match=r"4 bands.*'a' has 7.*eigenimages"):
        enlarged(network("residual"), Sample(torch.rand(1, 7, 8, 8), 2, ["a"]), bicubic())
