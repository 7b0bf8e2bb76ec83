"""What training on radar images shares: patches degraded with a margin around them, and restoration in tiles."""

import math
import time

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.image_to_image import ImageToImage
from sr_lab.backbones.lsrgan import LSRGAN, Reads
from sr_lab.data.patches import Patches
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation, keyed_generator, modcrop
from sr_lab.errors import UserError
from sr_lab.io.complex import intensity
from sr_lab.losses.radar import BLOCK
from sr_lab.methods.feedforward import TILE, enlarged
from sr_lab.methods.patch_training import PatchTraining

CALIBRATION = 32  # batches of patches that the gain is measured on
CALM = 1.5  # variance over squared mean of a block without structure; speckle of one look has 1
MARGIN = 16  # HR pixels around a patch, where a cut of its spectrum wraps around


class FitRadar(PatchTraining):
    """Training of an LSRGAN, after which its radiometry is set.

    Args:
        backbone: the network.
        reads: what of an image this training feeds it.
        max_steps: length of the cosine schedule.
        lr, weight_decay: of Adam.
        warmup: steps of linear warm-up.
        tile: of restoration; see `Feedforward`.

    Raises:
        UserError: another network, or one that reads something else.
    """

    per_axis = True

    def __init__(
        self,
        backbone: ImageToImage,
        reads: Reads,
        max_steps: int,
        lr: float,
        weight_decay: float,
        warmup: int,
        tile: int | None = TILE,
    ) -> None:
        if not isinstance(backbone, LSRGAN) or backbone.reads != reads:
            raise UserError(
                f"this training needs an LSRGAN that reads {reads}",
                where="backbone",
                fix=f"use backbone=lsrgan backbone.reads={reads}",
            )
        super().__init__(backbone, max_steps, lr, weight_decay, warmup)
        self.tile = tile

    @property
    def network(self) -> LSRGAN:
        """The backbone, by what it is."""
        assert isinstance(self.backbone, LSRGAN)
        return self.backbone

    def bind(self, degradation: Degradation, seed: int) -> None:
        """Of the network's factors.

        Raises:
            UserError: of others.
        """
        super().bind(degradation, seed)
        self.network.serve(degradation.factors)

    def degradations(self) -> list[Degradation]:
        """The run's own."""
        return [self.degradation]

    def without_margin(
        self, lr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c2 hs ws"]
    ) -> tuple[Float[Tensor, "b c h2 w2"], Float[Tensor, "b c2 hs2 ws2"]]:
        """LR and HR patches without what the cut has wrapped around."""
        for axis, factor in zip((-2, -1), self.network.factors, strict=True):
            edge = -(-MARGIN // factor)
            lr = lr.narrow(axis, edge, lr.shape[axis] - 2 * edge)
            hr = hr.narrow(axis, edge * factor, hr.shape[axis] - 2 * edge * factor)
        return lr, hr

    def generators_trained(self) -> list[LSRGAN]:
        """Networks whose gain is measured when the training is over."""
        return [self.network]

    @torch.no_grad()
    def on_fit_end(self) -> None:
        """Measure each network's gain: what its mean intensity lacks over calm blocks of training patches.

        Calm is a block whose HR varies as speckle does: of Gamma variates the mean does not depend on how they vary, so
        the choice is no bias. Bright targets, which no network reaches, are left out by it. Blocks count by the inverse
        of LR's intensity, dark ones as much as bright ones.
        """
        data = self.trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        patches = Patches(data.images, data.patch_size, data.patches_per_batch, data.seed, CALIBRATION)
        generator = keyed_generator(self.seed, "gain", self.stream)
        networks = self.generators_trained()
        wanted, found = 0.0, [0.0] * len(networks)
        for batch in patches:
            hr = modcrop(batch, self.degradation.factors).to(self.device)
            degraded = self.degradations()[0].degrade(hr, generator)
            lr, hr = self.without_margin(degraded.lr, hr)
            power = intensity(hr)
            mean = F.avg_pool2d(power, BLOCK)
            calm = F.avg_pool2d(power.square(), BLOCK) < (1 + CALM) * mean.square()
            weight = calm / F.adaptive_avg_pool2d(intensity(lr), (mean.shape[2], mean.shape[3])).clamp_min(
                1e-12
            )
            wanted += float((weight * mean).sum())
            for number, network in enumerate(networks):
                found[number] += float((weight * F.avg_pool2d(network(lr).square(), BLOCK)).sum())
        for number, network in enumerate(networks):
            if wanted > 0:
                network.gain += math.log(wanted / found[number])

    def restore(self, sample: Sample) -> Restored:
        """Enlarge."""
        started = time.perf_counter()
        sr = enlarged(self.network, sample, self.degradation, self.tile)
        return Restored(sr, seconds=time.perf_counter() - started)
