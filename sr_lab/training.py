"""The Lightning trainer of a run, and fitting that resumes where it stopped."""

import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

from sr_lab.config.schema import Settings
from sr_lab.methods.ema import EMA
from sr_lab.tracking.progress import ReportSteps, progress, quiet
from sr_lab.weights.store import save_checkpoint

WEIGHTS = "weights.pt"


def trainer_for(settings: Settings, directory: Path, callbacks: list[Callback], **extra: Any) -> pl.Trainer:
    """A trainer that computes on what the config says and logs into the run directory only."""
    trainer = settings.trainer
    quiet()
    return pl.Trainer(
        accelerator=trainer.accelerator,
        devices=trainer.devices,
        num_nodes=trainer.num_nodes,
        strategy=trainer.strategy,
        precision=trainer.precision,  # pyright: ignore[reportArgumentType]
        deterministic=trainer.deterministic,
        callbacks=[*callbacks, progress()],
        enable_progress_bar=sys.stderr.isatty(),
        default_root_dir=directory,
        inference_mode=False,  # zero-shot methods optimise inside the test step
        use_distributed_sampler=False,  # the data module deals batches out
        enable_model_summary=False,
        **{"logger": False, "enable_checkpointing": False, **extra},
    )


def fit(
    settings: Settings, method: pl.LightningModule, data: pl.LightningDataModule | None, directory: Path
) -> tuple[pl.Trainer, dict[str, float]]:
    """Fit, from `checkpoints/last.ckpt` if there is one.

    The method and `weights.pt` are left with the best state, or the last one where nothing is validated.

    Returns:
        the trainer, and figures of training: last logged values, steps, seconds, epochs.
    """
    monitor, mode = getattr(method, "monitor", ("val_psnr", "max"))
    folder = directory / "checkpoints"
    best = ModelCheckpoint(folder, "best", monitor=monitor, mode=mode, enable_version_counter=False)
    # apart from the best, which an interruption must not overwrite
    resumable = ModelCheckpoint(folder, "last", save_on_exception=True, enable_version_counter=False)
    validates = data is None or getattr(data, "validation_set", None) is not None
    ema = [EMA(settings.trainer.ema)] if settings.trainer.ema else []
    trainer = trainer_for(
        settings,
        directory,
        [*ema, *([best] if validates else []), resumable, ReportSteps(directory)],
        logger=CSVLogger(directory, name="", version="curves"),
        enable_checkpointing=True,
        max_epochs=settings.trainer.max_epochs,
        max_steps=settings.trainer.max_steps,
        gradient_clip_val=settings.trainer.gradient_clip_val,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if validates else 0,
    )
    last = folder / "last.ckpt"
    started = time.perf_counter()
    trainer.fit(method, data, ckpt_path=str(last) if last.exists() else None)
    figures = {key: float(value) for key, value in trainer.callback_metrics.items()}
    if monitor in figures and best.best_model_score is not None:
        figures[f"best_{monitor}"] = float(best.best_model_score)
    figures |= {"steps": trainer.global_step, "seconds": round(time.perf_counter() - started, 1)}
    if trainer.is_global_zero:
        _keep_best(method, best.best_model_path, bool(ema))
        save_checkpoint(directory / WEIGHTS, method.checkpoint())  # pyright: ignore[reportCallIssue]
    return trainer, figures


def _keep_best(method: pl.LightningModule, best: str, averaged: bool) -> None:
    """Without an average, take the best validated state; with one, the average already sits in the backbone."""
    if averaged or not best:
        return
    import torch

    state = torch.load(best, map_location="cpu", weights_only=False)  # our own checkpoint, written above
    method.load_state_dict(state["state_dict"])
