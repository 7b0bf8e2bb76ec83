"""The Lightning data module: degraded test images, and patches for methods that fit."""

from collections.abc import Iterable

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from sr_lab.data.degraded import DegradedImages, SameSizeBatches
from sr_lab.data.images import Images
from sr_lab.data.patches import Patches
from sr_lab.data.sample import Sample, collate
from sr_lab.degradation.chain import Degradation


class SRData(pl.LightningDataModule):
    """Test samples of one dataset under one degradation, and training patches.

    Args:
        images: HR images.
        degradation: of test and validation images.
        seed: of the dataset.
        draws: kernels per image.
        batch_size: images of equal size restored together.
        patch_size, patches_per_batch, batches_per_epoch: of training.
        one_image_batches: the patches of a batch come from one image; for images that differ in channels.
        validation: images to validate on.
        test: images to test on; None: those of the validation, without which the test is on `images`.
        done: image ids to leave out, since an interrupted run restored them already.
        workers: loader processes of training.
    """

    def __init__(
        self,
        images: Images,
        degradation: Degradation,
        *,
        seed: int = 1,
        draws: int = 1,
        batch_size: int = 1,
        patch_size: int = 96,
        patches_per_batch: int = 8,
        batches_per_epoch: int = 500,
        one_image_batches: bool = False,
        validation: Images | None = None,
        test: Images | None = None,
        done: Iterable[str] = (),
        workers: int = 0,
    ) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True  # fewer test images than processes
        self.images, self.degradation, self.seed, self.workers = images, degradation, seed, workers
        self.batch_size, self.patch_size = batch_size, patch_size
        self.patches_per_batch, self.batches_per_epoch = patches_per_batch, batches_per_epoch
        self.one_image_batches = one_image_batches
        self.validation_set = (
            None if validation is None else DegradedImages(validation, degradation, seed, draws)
        )
        tested = next(some for some in (test, validation, images) if some is not None)
        self.test_set = DegradedImages(tested, degradation, seed, draws)
        self.done = set(done)

    def _rank(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def train_dataloader(self) -> DataLoader[object]:
        """Batches of HR patches; the method degrades them on its own device."""
        rank, _ = self._rank()
        patches = Patches(
            self.images,
            self.patch_size,
            self.patches_per_batch,
            self.seed,
            self.batches_per_epoch,
            rank,
            done=self.trainer.global_step if self.trainer else 0,
            one_image=self.one_image_batches,
        )
        return DataLoader(
            patches, batch_size=None, num_workers=self.workers, persistent_workers=self.workers > 0
        )

    def val_dataloader(self) -> DataLoader[Sample] | list[object]:
        """Whole validation images."""
        if self.validation_set is None:
            return []
        return DataLoader(self.validation_set, batch_size=1, collate_fn=collate)

    def test_dataloader(self) -> DataLoader[Sample]:
        """Whole images, dealt out in batches of one size; every process takes its own share."""
        rank, world = self._rank()
        batches = SameSizeBatches(self.test_set, self.batch_size, rank, world, skip=self.done)
        return DataLoader(self.test_set, batch_sampler=batches, collate_fn=collate)
