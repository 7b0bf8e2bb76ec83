"""Exponential moving average of a backbone's weights, as Lightning drives it."""

from typing import Any

import pytorch_lightning as pl
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class EMA(pl.Callback):
    """Average `module.backbone` after every step; the average takes its place at validation and at the end.

    Args:
        decay: weight of the past.
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = decay
        self.average: AveragedModel | None = None
        self._live: dict[str, Any] | None = None
        self._resumed: dict[str, Any] | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start from the current weights, or from a checkpoint's average."""
        self.average = AveragedModel(_backbone(pl_module), multi_avg_fn=get_ema_multi_avg_fn(self.decay))
        if self._resumed is not None:
            self.average.load_state_dict(self._resumed)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update."""
        assert self.average is not None
        self.average.update_parameters(_backbone(pl_module))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validate the average."""
        if self.average is not None and trainer.state.fn == "fit":
            self._live = {k: v.detach().clone() for k, v in _backbone(pl_module).state_dict().items()}
            _backbone(pl_module).load_state_dict(self.average.module.state_dict())

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on training the live weights."""
        if self._live is not None:
            _backbone(pl_module).load_state_dict(self._live)
            self._live = None

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Interrupted while it validates: the checkpoint that is written now shall hold the live weights."""
        self.on_validation_end(trainer, pl_module)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the average in the module."""
        if self.average is not None:
            _backbone(pl_module).load_state_dict(self.average.module.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """For Lightning's checkpoints."""
        return {} if self.average is None else {"average": self.average.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From Lightning's checkpoints; applied when fitting starts."""
        self._resumed = state_dict.get("average")


def _backbone(module: pl.LightningModule) -> nn.Module:
    return module.backbone  # pyright: ignore[reportReturnType]
