"""Training of the network that guesses Gaussian blurs, on patches blurred on the fly."""

import math
import time
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.kernel_net import KernelNet
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.anchor import to_anchor
from sr_lab.degradation.blur import blur_decimate
from sr_lab.degradation.chain import keyed_generator
from sr_lab.degradation.corruptions import GaussianNoise, Quantise
from sr_lab.degradation.gaussian import gaussian_kernels, variance_range
from sr_lab.degradation.resample import bicubic_upsample_aligned
from sr_lab.methods.base import Method
from sr_lab.metrics.kernel import kernel_psnr
from sr_lab.priors.base import kernel_size_of
from sr_lab.priors.spectral.luminance import luminance
from sr_lab.priors.spectral.shape import render, shape_of
from sr_lab.weights.store import Checkpoint

# beyond FKP's range on both sides, so that its ends are not the ends of what the net knows
NARROWER, WIDER = 0.8, 1.1


class FitKernelNet(Method):
    """Likelihood of the true blur under the network's belief, over several scales, one scale a batch.

    Args:
        backbone: the network.
        max_steps: length of the one-cycle schedule.
        scales: to train, in turn.
        lr: greatest step size of AdamW.
        sides: of LR patches; one is drawn for each batch.
        noise: largest standard deviation, in [0, 1] units.
        noise_free: share of patches without noise.
    """

    fits = True
    monitor = ("val_kernel_psnr", "max")

    def __init__(
        self,
        backbone: KernelNet,
        max_steps: int,
        scales: list[int],
        lr: float = 2e-3,
        sides: list[int] | None = None,
        noise: float = 10 / 255,
        noise_free: float = 0.7,
    ) -> None:
        super().__init__()
        self.backbone, self.max_steps, self.scales, self.lr = backbone, max_steps, list(scales), lr
        self.sides = sides or [40, 56, 64, 72]
        self.corruptions = [GaussianNoise(0.0, noise, noise_free), Quantise("floor")]

    def training_step(self, batch: Float[Tensor, "b c p p"], batch_idx: int) -> Tensor:
        """Blur, decimate, guess."""
        generator = keyed_generator(self.seed, f"{self.global_step}/{self.global_rank}", "kernel_net")
        scale = self.scales[self.global_step % len(self.scales)]
        kernel, truth = random_blurs(len(batch), scale, generator)
        frame = -(-(kernel.shape[-1] // 2) // scale)  # LR pixels that the patch's edge reaches
        side = self.sides[int(torch.randint(len(self.sides), (1,), generator=generator))]
        hr = luminance(batch)[..., : (side + 2 * frame) * scale, : (side + 2 * frame) * scale]
        lr = blur_decimate(hr, kernel.to(hr), scale, boundary="replicate")[..., frame:-frame, frame:-frame]
        for corrupt in self.corruptions:
            lr, _ = corrupt(lr, generator)
        loss = self.backbone(lr, scale).nll(truth.to(hr)).mean()
        self.log("nll", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Sample, batch_idx: int) -> None:
        """Kernel PSNR of the guess alone on whole images."""
        assert batch.kernel is not None
        self.log(
            "val_kernel_psnr", kernel_psnr(self._guess(batch), batch.kernel).mean(), batch_size=len(batch)
        )

    def restore(self, sample: Sample) -> Restored:
        """Aligned bicubic beside the guessed kernel, so that a record tells how good the guesses are."""
        started = time.perf_counter()
        where = self.degradation.anchor, self.degradation.phase
        sr = bicubic_upsample_aligned(sample.lr, sample.scale, *where)
        return Restored(sr, self._guess(sample), seconds=time.perf_counter() - started)

    @torch.no_grad()
    def _guess(self, sample: Sample) -> Float[Tensor, "b 1 k k"]:
        mean = self.backbone(luminance(sample.lr), sample.scale).mean
        kernel = render(mean, sample.scale, kernel_size_of(sample, self.degradation)).to(sample.lr)
        return to_anchor(kernel, self.degradation.anchor)

    def configure_optimizers(self) -> Any:
        """AdamW under one cycle, stepped every batch."""
        adam = torch.optim.AdamW(self.backbone.parameters(), lr=self.lr, weight_decay=1e-4)
        cycle = torch.optim.lr_scheduler.OneCycleLR(adam, self.lr, self.max_steps, pct_start=0.1)
        return [adam], [{"scheduler": cycle, "interval": "step"}]

    def checkpoint(self) -> Checkpoint:
        """The trained network and what rebuilds it."""
        return Checkpoint(self.backbone.state_dict(), self.backbone.architecture)


def random_blurs(
    n: int, scale: int, generator: torch.Generator
) -> tuple[Float[Tensor, "n 1 k k"], Float[Tensor, "n 3"]]:
    """Gaussian kernels a little beyond FKP's range, half of them uniform in variance, half in its logarithm.

    Returns:
        kernels at the `fkp` anchor, and their shapes.
    """
    low, high = variance_range(scale)
    low, high = NARROWER * low, WIDER * high
    draws = torch.rand(n, 4, generator=generator, dtype=torch.float64)
    uniform, logarithmic = low + (high - low) * draws[:, :2], low * (high / low) ** draws[:, :2]
    variance, theta = torch.where(draws[:, 3:] < 0.5, uniform, logarithmic), math.pi * draws[:, 2]
    along = torch.stack([theta.cos(), theta.sin()], -1)
    across = torch.stack([-theta.sin(), theta.cos()], -1)
    axes = torch.stack([along, across], -1)
    matrix = axes @ torch.diag_embed(variance) @ axes.mT / scale**2
    return gaussian_kernels(variance, theta, scale=scale), shape_of(matrix).float()
