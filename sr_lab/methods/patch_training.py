"""What supervised training on patches shares: degrading on the fly, the schedule, validation and the checkpoint."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation, Degraded, keyed_generator, modcrop
from sr_lab.methods.base import Method
from sr_lab.weights.store import Checkpoint


class PatchTraining(Method):
    """Restore HR patches from their degraded selves; kernels and noise are drawn anew for every patch.

    Args:
        backbone: the network; kept in channels_last memory.
        max_steps: length of the cosine schedule.
        lr, weight_decay: of AdamW.
        warmup: steps of linear warm-up.
    """

    fits = True
    stream: ClassVar[str]  # key of the random draws

    def __init__(
        self, backbone: nn.Module, max_steps: int, lr: float, weight_decay: float, warmup: int
    ) -> None:
        super().__init__()
        self.backbone = backbone.to(memory_format=torch.channels_last).train()
        self.max_steps, self.lr, self.weight_decay, self.warmup = max_steps, lr, weight_decay, warmup

    @abstractmethod
    def degradations(self) -> Sequence[Degradation]:
        """What patches go through, one a batch, in turn."""

    @abstractmethod
    def loss(
        self, degraded: Degraded, degradation: Degradation, hr: Float[Tensor, "b c p p"]
    ) -> Float[Tensor, ""]:
        """Restore one batch and compare."""

    def training_step(self, batch: Float[Tensor, "b c p p"], batch_idx: int) -> Tensor:
        """Degrade, restore, compare."""
        return self.loss(*self.degraded(batch))

    def degraded(
        self, batch: Float[Tensor, "b c p p"]
    ) -> tuple[Degraded, Degradation, Float[Tensor, "b c p2 p2"]]:
        """A batch through the degradation whose turn it is; which one, and the batch cut to its factors."""
        generator = keyed_generator(self.seed, f"{self.global_step}/{self.global_rank}", self.stream)
        degradations = self.degradations()
        degradation = degradations[self.global_step % len(degradations)]
        hr = modcrop(batch, degradation.factors)
        return degradation.degrade(hr, generator), degradation, hr

    def validation_step(self, batch: Sample, batch_idx: int) -> None:
        """PSNR over all channels of whole degraded images."""
        self.validate(batch, self.restore(batch).sr)

    def validate(self, batch: Sample, sr: Float[Tensor, "b c hs ws"]) -> None:
        """Log the PSNR of restored validation images."""
        assert batch.hr is not None
        border = batch.scale
        error = (sr.clamp(0, 1) - batch.hr)[..., border:-border, border:-border]
        self.log("val_psnr", -10 * torch.log10((error**2).mean()), prog_bar=True, batch_size=len(batch))

    def configure_optimizers(self) -> Any:
        """AdamW with linear warm-up and a cosine to zero, stepped every batch."""
        adam = torch.optim.AdamW(self.backbone.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        rise = torch.optim.lr_scheduler.LinearLR(adam, 1e-2, total_iters=self.warmup)
        fall = torch.optim.lr_scheduler.CosineAnnealingLR(adam, max(1, self.max_steps - self.warmup))
        schedule = torch.optim.lr_scheduler.SequentialLR(adam, [rise, fall], [self.warmup])
        return [adam], [{"scheduler": schedule, "interval": "step"}]

    def checkpoint(self) -> Checkpoint:
        """The trained backbone and what rebuilds it."""
        return Checkpoint(self.backbone.state_dict(), getattr(self.backbone, "architecture", {}))
