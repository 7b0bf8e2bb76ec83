"""Progress on long work: a bar on a terminal, a line now and then in a log."""

import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, RichProgressBar

from sr_lab.data.sample import Sample
from sr_lab.tracking.steps import report_step


def progress() -> Callback:
    """Rich bars on a terminal, lines elsewhere."""
    return RichProgressBar(leave=True) if sys.stderr.isatty() else ProgressLines()


class ProgressLines(Callback):
    """One line per restored batch and per validation, with the time left."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Name the images."""
        total = int(sum(trainer.num_test_batches))
        names = ", ".join(batch.image_ids) if isinstance(batch, Sample) else ""
        self._line(f"restored {names}", batch_idx + 1, total)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.started = time.monotonic()
        self.first_step = trainer.global_step

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Name the figures."""
        if trainer.state.fn != "fit":
            return
        figures = ", ".join(f"{name} {float(value):.4g}" for name, value in trainer.callback_metrics.items())
        steps = trainer.global_step
        self._line(
            f"step {steps}: {figures}",
            steps - self.first_step,
            int(trainer.estimated_stepping_batches) - self.first_step,
        )

    def _line(self, text: str, done: int, total: int) -> None:
        seconds = time.monotonic() - self.started
        left = seconds / max(done, 1) * max(total - done, 0)
        print(
            f"[{done}/{total}] {text} ({seconds:.0f} s, about {left:.0f} s left)", file=sys.stderr, flush=True
        )


class ReportSteps(Callback):
    """Every validation of a fit as a line of `steps.jsonl`, for searches that stop what is not worth going on with."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the figures."""
        if trainer.is_global_zero and trainer.state.fn == "fit":
            values = {name: float(value) for name, value in trainer.callback_metrics.items()}
            report_step(self.directory, values, step=trainer.global_step)


def quiet() -> None:
    """Keep Lightning's advertisements, and warnings about its own internals, out of the user's sight."""
    for name in ("pytorch_lightning", "lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for pattern in (
        ".*LeafSpec.*",
        ".*does not have many workers.*",
        ".*`IterableDataset` has `__len__` defined.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*experiment logs directory.*",
        ".*smaller than the logging interval.*",
        ".*dataloader is not resumable.*",
        ".*TypedStorage is deprecated.*",
        ".*`isinstance\\(treespec.*",
        ".*`srun` command is available.*",  # jobs of a sweep do not need it
        ".*module\\(s\\) in eval mode at the start of training.*",  # teachers and features are frozen on purpose
    ):
        warnings.filterwarnings("ignore", pattern)
