"""Supervised training of an image-to-image network on patches degraded on the fly."""

import time
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.backbones.image_to_image import ImageToImage
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation, Degraded
from sr_lab.degradation.resample import at_anchor
from sr_lab.errors import UserError
from sr_lab.losses.weighted import WeightedLosses
from sr_lab.methods.feedforward import TILE, enlarged
from sr_lab.methods.patch_training import PatchTraining


class FitFeedforward(PatchTraining):
    """A weighted sum of losses over what the network makes of degraded patches.

    Args:
        backbone: the network; one on eigenimages trains like any other, through their basis.
        max_steps: length of the cosine schedule.
        losses: weights by name; see `losses.weighted`.
        degradations: that patches go through, one a batch, in turn; null: the run's own.
        lr, weight_decay: of AdamW.
        warmup: steps of linear warm-up.
        one_cube: the patches of a batch come from one cube (dataset.one_image_batches) and share its basis of
            eigenimages, which so is close to the one that the whole cube has when it is restored.
        tile: of restoration; see `Feedforward`.

    Raises:
        UserError: an unknown loss, or a degradation of another scale than the network's.
    """

    stream = "feedforward"

    def __init__(
        self,
        backbone: ImageToImage,
        max_steps: int,
        losses: dict[str, float],
        degradations: list[Degradation] | None = None,
        lr: float = 2e-4,
        weight_decay: float = 0.0,
        warmup: int = 200,
        one_cube: bool = False,
        tile: int | None = TILE,
    ) -> None:
        super().__init__(backbone, max_steps, lr, weight_decay, warmup)
        for index, degradation in enumerate(degradations or []):
            if degradation.scale != backbone.scale:
                raise UserError(
                    f"x{degradation.scale}, but the network enlarges x{backbone.scale}",
                    where=f"method.degradations[{index}].scale",
                    fix="set scale: ${scale} there",
                )
        self.losses = WeightedLosses(losses)
        self.train_degradations = nn.ModuleList(degradations or [])
        self.one_cube, self.tile = one_cube, tile

    @property
    def network(self) -> ImageToImage:
        """The backbone, by what it is."""
        assert isinstance(self.backbone, ImageToImage)
        return self.backbone

    def degradations(self) -> Sequence[Degradation]:
        """Those of the config, or the run's own."""
        return list(self.train_degradations) or [self.degradation]  # pyright: ignore[reportReturnType]

    def loss(
        self, degraded: Degraded, degradation: Degradation, hr: Float[Tensor, "b c p p"]
    ) -> Float[Tensor, ""]:
        """The weighted sum; each term is logged under its name."""
        lr = degraded.lr
        sr = self.network.for_images(lr, shared=self.one_cube)(lr)
        sr = at_anchor(sr, degradation.scale, degradation.anchor, degradation.phase)
        total, terms = self.losses(sr, hr)
        self.log("loss", total, prog_bar=True)
        self.log_dict(terms)
        return total

    def restore(self, sample: Sample) -> Restored:
        """Enlarge."""
        started = time.perf_counter()
        sr = enlarged(self.network, sample, self.degradation, self.tile)
        return Restored(sr, seconds=time.perf_counter() - started)
