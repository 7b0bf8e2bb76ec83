from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.errors import UserError
from sr_lab.methods.fit_flow import FitKernelFlow, FreshKernels, normalization
from sr_lab.priors.flow import KernelFlow
from sr_lab.tracking.progress import quiet

KERNELS = GaussianKernels(2, size=5, variance=(0.35, 1.2))


def method(epochs: int = 3, **options: object) -> FitKernelFlow:
    defaults = {"kernels_per_epoch": 200, "batch_size": 20, "lr": 2e-3, "hidden": 8}
    return FitKernelFlow(KERNELS, seed=3, epochs=epochs, **{**defaults, **options})  # pyright: ignore[reportArgumentType]


class Watch(pl.Callback):
    """The validation losses; an optional stop in the middle of an epoch."""

    def __init__(self, stop: Callable[[pl.Trainer], bool] = lambda trainer: False) -> None:
        self.losses: list[float] = []
        self.stop = stop

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.losses.append(float(trainer.callback_metrics["val_nll"]))

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object, **kwargs: object) -> None:
        if self.stop(trainer):
            raise RuntimeError("power cut")


def fit(module: FitKernelFlow, folder: Path, epochs: int, watch: Watch, resume: bool = False) -> pl.Trainer:
    quiet()
    keep = ModelCheckpoint(
        folder, monitor="val_nll", save_last=True, save_on_exception=True, enable_version_counter=False
    )
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        callbacks=[watch, keep],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    trainer.fit(module, ckpt_path=folder / "last.ckpt" if resume else None)
    return trainer


def state(module: FitKernelFlow) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.flow.state_dict().items()}


def assert_close(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, atol=1e-6, rtol=1e-5, msg=name)


@pytest.mark.parametrize("schedule", ["halving", "one_cycle"])
def test_training_lowers_the_loss_and_goes_on_where_it_stopped(tmp_path: Path, schedule: str):
    whole, watch = method(schedule=schedule), Watch()
    fit(whole, tmp_path / "whole", 3, watch)
    first, second, third = watch.losses
    assert third < second < first
    before, again = method(schedule=schedule), Watch()
    fit(before, tmp_path / "parts", 2, again)
    assert again.losses == pytest.approx(watch.losses[:2], rel=1e-5)
    with pytest.raises(AssertionError):
        assert_close(state(whole), state(before))
    after, rest = method(schedule=schedule), Watch()
    trainer = fit(after, tmp_path / "parts", 3, rest, resume=True)
    assert trainer.global_step == 30
    assert rest.losses == pytest.approx(watch.losses[2:], rel=1e-5)
    assert_close(state(whole), state(after))
