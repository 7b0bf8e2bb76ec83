import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint

from sr_lab.backbones.usrnet import USRNet, usrnet_from
from sr_lab.data.images import SkimageImages
from sr_lab.data.module import SRData
from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.corruptions import Quantise
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.errors import UserError
from sr_lab.methods.ema import EMA
from sr_lab.methods.non_blind import solve
from sr_lab.methods.supervised import Supervised, fkp_degradations
from sr_lab.tracking.progress import quiet

DECAY = 0.8


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Nets this small spend their time waiting for a second thread, above all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def net() -> USRNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return USRNet(iterations=1, widths=[8, 8, 8, 8], blocks=1, hyper_width=4, unshuffle=2)


def method(steps: int = 12, scales: tuple[int, ...] = (2,), **options: float) -> Supervised:
    module = Supervised(net(), fkp_degradations(list(scales)), steps, **{"lr": 3e-3, "warmup": 3, **options})
    module.bind(Degradation(2, GaussianKernels(2), [Quantise("round")]), seed=5)
    return module


def data(batches: int = 4) -> SRData:
    photo = SkimageImages(["astronaut"], crop=[20, 80, 64, 64], shrink=2)
    return SRData(
        photo,
        Degradation(2, GaussianKernels(2), [Quantise("round")]),
        patch_size=24,
        patches_per_batch=2,
        batches_per_epoch=batches,
        validation=SkimageImages(["cat"], crop=[20, 40, 32, 32], shrink=2),
    )


def fit(
    module: Supervised,
    folder: Path,
    *callbacks: Callback,
    steps: int = 12,
    batches: int = 4,
    resume: bool = False,
    saved_on_exception: bool = True,
) -> pl.Trainer:
    quiet()
    warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")  # ours go on where they stopped
    keep = ModelCheckpoint(folder, "last", save_on_exception=saved_on_exception, enable_version_counter=False)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        logger=False,
        callbacks=[*callbacks, keep],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    trainer.fit(module, data(batches), ckpt_path=folder / "last.ckpt" if resume else None)
    return trainer


def weights(module: pl.LightningModule) -> dict[str, torch.Tensor]:
    assert isinstance(module, Supervised)
    return {name: value.clone() for name, value in module.backbone.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.allclose(other[name], value, atol=1e-6, rtol=1e-4) for name, value in one.items())


class Watch(Callback):
    """Losses, and the weights after each step and during each validation; a power cut when asked."""

    def __init__(self, cut: int | None = None, in_validation: bool = False) -> None:
        self.cut, self.in_validation = cut, in_validation
        self.losses: list[float] = []
        self.psnr: list[float] = []
        self.live: list[dict[str, torch.Tensor]] = []
        self.validated: list[dict[str, torch.Tensor]] = []

    def on_train_batch_start(self, trainer: pl.Trainer, *args: object, **kwargs: object) -> None:
        if trainer.global_step == self.cut and not self.in_validation:
            raise RuntimeError("power cut")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: object, **kwargs: object
    ):
        self.losses.append(float(trainer.callback_metrics["l1"]))
        self.live.append(weights(pl_module))

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.global_step == self.cut and self.in_validation:
            raise RuntimeError("power cut")
        self.validated.append(weights(pl_module))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.psnr.append(float(trainer.callback_metrics["val_psnr"]))


def test_training_lowers_the_loss_and_raises_the_psnr(tmp_path: Path):
    module, watch = method(40), Watch()
    fit(module, tmp_path, watch, steps=40, batches=20)
    assert sum(watch.losses[-8:]) < 0.8 * sum(watch.losses[:8])
    assert watch.psnr[1] > watch.psnr[0]
    again = usrnet_from(module.checkpoint(), "here")
    assert same(again.state_dict(), weights(module))
    assert again.architecture == net().architecture


def test_the_average_validates_and_is_left_in_the_module(tmp_path: Path):
    module, watch = method(), Watch()
    fit(module, tmp_path, EMA(DECAY), watch)
    average, expected = watch.live[0], []
    for step, live in enumerate(watch.live):
        if step:
            average = {name: DECAY * average[name] + (1 - DECAY) * live[name] for name in live}
        expected.append(average)
    assert len(watch.live) == 12
    assert len(watch.validated) == 3
    for epoch, seen in enumerate(watch.validated):
        assert same(seen, expected[4 * epoch + 3])
        assert not same(seen, watch.live[4 * epoch + 3])
    assert same(weights(module), expected[-1])
    saved = torch.load(tmp_path / "last.ckpt", weights_only=False)
    kept = {name.removeprefix("backbone."): value for name, value in saved["state_dict"].items()}
    assert same({name: kept[name] for name in watch.live[-1]}, watch.live[-1])  # to go on from


@pytest.mark.parametrize(
    ("cut", "in_validation", "saved", "done"),
    [(6, False, True, 6), (8, True, True, 8), (10, False, False, 8)],
)
def test_training_goes_on_where_it_stopped(
    tmp_path: Path, cut: int, in_validation: bool, saved: bool, done: int
):
    whole, seen = method(scales=(2, 3)), Watch()
    fit(whole, tmp_path / "whole", EMA(DECAY), seen)
    before = (method(scales=(2, 3)), tmp_path / "parts", EMA(DECAY), Watch(cut, in_validation))
    with pytest.raises(RuntimeError, match="power cut"):
        fit(*before, saved_on_exception=saved)
    rest, watch = method(scales=(2, 3)), Watch()
    assert fit(rest, tmp_path / "parts", EMA(DECAY), watch, resume=True).global_step == 12
    assert watch.losses == pytest.approx(seen.losses[done:], rel=1e-4)
    assert same(weights(rest), weights(whole))


def test_scales_take_turns_and_patches_need_not_fit_them(monkeypatch: pytest.MonkeyPatch):
    module = method(scales=(2, 3, 4))
    seen: list[tuple[int, tuple[int, ...]]] = []
    kernels: list[torch.Tensor] = []

    def note(_: object, given: tuple) -> None:
        seen.append((given[2], tuple(given[0].shape)))
        kernels.append(given[1])

    module.backbone.register_forward_pre_hook(note)
    monkeypatch.setattr(module, "log", lambda *args, **kwargs: None)
    for step in range(4):
        monkeypatch.setattr(Supervised, "global_step", step)
        assert torch.isfinite(module.training_step(torch.rand(2, 3, 26, 26), step))
    assert seen == [(2, (2, 3, 13, 13)), (3, (2, 3, 8, 8)), (4, (2, 3, 6, 6)), (2, (2, 3, 13, 13))]
    drawn = torch.cat([kernels[0], kernels[3]]).flatten(1)
    assert torch.cdist(drawn, drawn).fill_diagonal_(1).min() > 1e-3  # new for every patch and step


def test_the_step_size_warms_up_and_falls_to_zero():
    module = method(20, warmup=5)
    ([adam], [entry]) = module.configure_optimizers()
    assert entry["interval"] == "step"
    rates = []
    for _ in range(20):
        rates.append(adam.param_groups[0]["lr"])
        adam.step()
        entry["scheduler"].step()
    assert rates[0] == pytest.approx(3e-5)
    assert rates[5] == pytest.approx(3e-3)
    assert rates.index(max(rates)) == 5
    assert adam.param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("anchor", ["fkp", "block_center"])
def test_it_restores_with_the_true_kernel_at_any_anchor(anchor: Anchor):
    module = method()
    chain = Degradation(2, GaussianKernels(2, anchor=anchor), anchor=anchor, phase=1)
    module.bind(chain, seed=0)
    hr = SkimageImages(["cat"], crop=[20, 40, 32, 32], shrink=2)[0][None]
    out = chain.degrade(hr, torch.Generator().manual_seed(0))
    assert out.kernel is not None
    restored = module.restore(Sample(out.lr, 2, ["cat"], kernel=out.kernel, noise_level=out.noise_level))
    expected = solve(module.backbone, out.lr, out.kernel, 2, torch.zeros(1), anchor, False, 1)
    assert torch.equal(restored.sr, expected)
    assert restored.seconds > 0
    with pytest.raises(UserError, match="kernel"):
        module.restore(Sample(out.lr, 2, ["cat"]))


def test_what_the_solver_is_trained_on():
    degradations = fkp_degradations([2, 4], noise=0.1, noise_free=0.5)
    assert list(degradations) == ["x2", "x4"]
    out = degradations["x4"].degrade(torch.rand(64, 3, 20, 20), torch.Generator().manual_seed(0))
    assert out.lr.shape == (64, 3, 5, 5)
    assert out.kernel is not None
    assert out.kernel.shape == (64, 1, 19, 19)
    assert 0.3 < (out.noise_level == 0).float().mean() < 0.7
    assert 0.08 < out.noise_level.max() <= 0.1
    torch.testing.assert_close(out.lr * 255, (out.lr * 255).round(), atol=1e-3, rtol=0)
