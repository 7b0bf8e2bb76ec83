"""Supervised training of a non-blind backbone on patches degraded on the fly."""

import time
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation, Degraded
from sr_lab.degradation.corruptions import GaussianNoise, Quantise
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.errors import UserError
from sr_lab.methods.non_blind import noise_of, solve
from sr_lab.methods.patch_training import PatchTraining


class Supervised(PatchTraining):
    """L1 training of a non-blind net over several scales at once, one scale a batch.

    Args:
        backbone: net called with (lr, kernel, scale, noise_level).
        degradations: one per scale to train; kernels and noise are drawn anew for every patch.
        max_steps: length of the cosine schedule.
        lr, weight_decay: of AdamW.
        warmup: steps of linear warm-up.
    """

    stream = "supervised"

    def __init__(
        self,
        backbone: nn.Module,
        degradations: dict[str, Degradation],
        max_steps: int,
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        warmup: int = 200,
    ) -> None:
        super().__init__(backbone, max_steps, lr, weight_decay, warmup)
        self.train_degradations = nn.ModuleDict(degradations)

    def degradations(self) -> Sequence[Degradation]:
        """One per scale."""
        return list(self.train_degradations.values())  # pyright: ignore[reportReturnType]

    def loss(
        self, degraded: Degraded, degradation: Degradation, hr: Float[Tensor, "b c p p"]
    ) -> Float[Tensor, ""]:
        """L1 of the network's output, told the true kernel and noise."""
        sr = self.backbone(degraded.lr, degraded.kernel, degradation.scale, degraded.noise_level)
        loss = (sr - hr).abs().mean()
        self.log("l1", loss, prog_bar=True)
        return loss

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
