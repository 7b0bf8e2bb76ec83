"""Supervised training of a non-blind backbone on patches degraded on the fly."""

import time
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation, keyed_generator, modcrop
from sr_lab.degradation.corruptions import GaussianNoise, Quantise
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.errors import UserError
from sr_lab.methods.base import Method
from sr_lab.methods.non_blind import noise_of, solve
from sr_lab.weights.store import Checkpoint


class Supervised(Method):
    """L1 training of a non-blind net over several scales at once, one scale a batch.

    Args:
        backbone: net called with (lr, kernel, scale, noise_level).
        degradations: one per scale to train; kernels and noise are drawn anew for every patch.
        max_steps: length of the cosine schedule.
        lr, weight_decay: of AdamW.
        warmup: steps of linear warm-up.
    """

    fits = True

    def __init__(
        self,
        backbone: nn.Module,
        degradations: dict[str, Degradation],
        max_steps: int,
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        warmup: int = 200,
    ) -> None:
        super().__init__()
        self.backbone = backbone.to(memory_format=torch.channels_last)
        self.train_degradations = nn.ModuleDict(degradations)
        self.max_steps, self.lr, self.weight_decay, self.warmup = max_steps, lr, weight_decay, warmup

    def training_step(self, batch: Float[Tensor, "b c p p"], batch_idx: int) -> Tensor:
        """Degrade, restore, L1."""
        generator = keyed_generator(self.seed, f"{self.global_step}/{self.global_rank}", "supervised")
        names = list(self.train_degradations)
        degradation = self.train_degradations[names[self.global_step % len(names)]]
        assert isinstance(degradation, Degradation)
        hr = modcrop(batch, degradation.scale)
        degraded = degradation.degrade(hr, generator)
        sr = self.backbone(degraded.lr, degraded.kernel, degradation.scale, degraded.noise_level)
        loss = (sr - hr).abs().mean()
        self.log("l1", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Sample, batch_idx: int) -> None:
        """PSNR over RGB of whole degraded images."""
        sr = self.restore(batch).sr.clamp(0, 1)
        assert batch.hr is not None
        border = batch.scale
        error = (sr - batch.hr)[..., border:-border, border:-border]
        self.log("val_psnr", -10 * torch.log10((error**2).mean()), prog_bar=True, batch_size=len(batch))

    def restore(self, sample: Sample) -> Restored:
        """Non-blind restoration with the true kernel."""
        if sample.kernel is None:
            raise UserError(
                "a non-blind network needs the true kernel, and this degradation has none",
                where="degradation",
                fix="choose a degradation with kernels, such as gaussian",
            )
        started = time.perf_counter()
        sr = solve(
            self.backbone,
            sample.lr,
            sample.kernel,
            sample.scale,
            noise_of(sample, None),
            self.degradation.anchor,
            renormalise=False,
            phase=self.degradation.phase,
        )
        return Restored(sr, seconds=time.perf_counter() - started)

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


def fkp_degradations(
    scales: list[int], noise: float = 25 / 255, noise_free: float = 0.4
) -> dict[str, Degradation]:
    """What a non-blind solver must cope with behind FKP: its kernel range at every scale, noise, 8 bits.

    Args:
        scales: one degradation each.
        noise: largest standard deviation, in [0, 1] units.
        noise_free: share of images without noise.
    """
    return {
        f"x{scale}": Degradation(
            scale, GaussianKernels(scale), [GaussianNoise(0.0, noise, noise_free), Quantise("round")]
        )
        for scale in scales
    }
