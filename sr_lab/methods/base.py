"""Method: a LightningModule that turns LR images into SR images."""

from abc import abstractmethod
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch

from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation, keyed_generator
from sr_lab.degradation.factors import named
from sr_lab.errors import UserError


class Method(pl.LightningModule):
    """What every method can do: restore a sample.

    `trainer.test` restores inside the test step, so Lightning spreads images over devices; what `test_step` returns
    reaches the recorder as the batch's outputs.

    Attributes:
        fits: it learns first.
        pictures: it restores pictures with a blur; cubes reach it as their leading eigenimages (scene.components).
        per_axis: it serves degradations whose factors of rows and columns differ.
    """

    fits: ClassVar[bool] = False
    pictures: ClassVar[bool] = False
    per_axis: ClassVar[bool] = False

    degradation: Degradation
    seed: int = 0

    def bind(self, degradation: Degradation, seed: int) -> None:
        """Tell the method which degradation the images went through, and the run's seed.

        Raises:
            UserError: the degradation's factors differ, and the method enlarges both axes alike.
        """
        if len(set(degradation.factors)) > 1 and not self.per_axis:
            raise UserError(
                f"{type(self).__name__} enlarges both axes alike, and this degradation is {named(degradation.factors)}",
                where="degradation.grid",
                fix="leave it out, or choose method=zero_pad, interpolate, or a training of backbone=lsrgan",
            )
        self.degradation, self.seed = degradation, seed

    @abstractmethod
    def restore(self, sample: Sample) -> Restored:
        """Turn LR into SR, image by image of the batch."""

    def generators(self, sample: Sample) -> list[torch.Generator]:
        """One generator per image, keyed by run seed and image id: results do not depend on batching or order."""
        return [keyed_generator(self.seed, image_id, "method") for image_id in sample.image_ids]

    def test_step(self, batch: Sample, batch_idx: int) -> dict[str, Any]:
        """Restore one batch; zero-shot methods need gradients here."""
        with torch.enable_grad():
            return {"restored": self.restore(batch)}
