"""Random HR patches for training, degraded on the fly."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from sr_lab.data.images import Images
from sr_lab.degradation.chain import keyed_generator
from sr_lab.errors import UserError


class Patches(IterableDataset[Float[Tensor, "b c p p"]]):
    """Endless batches of randomly placed, flipped and turned patches.

    Images are held in memory, since decoding costs more than training steps on small patches: as uint8 where that is
    exact (BSD400: 185 MB), else as float32.

    Args:
        images: source, of one number of channels; smaller ones than the patch are refused. All are drawn alike, or as
            the `weights` of the source say (see `Several`). One that says `axes_differ` is flipped and not turned.
        size: side of the patch.
        batch_size: patches a batch.
        seed: of the stream; workers and ranks draw different patches.
        batches: length of an epoch.
        rank: of the process.
        done: batches that an interrupted training has used up; the stream goes on after them.
        one_image: all patches of a batch come from one image, so images may differ in their number of channels.
    """

    def __init__(
        self,
        images: Images,
        size: int,
        batch_size: int,
        seed: int,
        batches: int,
        rank: int = 0,
        done: int = 0,
        one_image: bool = False,
    ) -> None:
        self.one_image, self.turns = one_image, not getattr(images, "axes_differ", False)
        self.images: list[Shaped[Tensor, "c h w"]] = []
        for index, image_id in enumerate(images.ids):
            image = images[index]
            if min(image.shape[-2:]) < size:
                raise UserError(
                    f"image '{image_id}' of {image.shape[-2]}x{image.shape[-1]} is smaller than {size} px",
                    where="dataset.patch_size",
                    fix="use smaller patches or leave the image out",
                )
            if not one_image and self.images and len(image) != len(self.images[0]):
                raise UserError(
                    f"image '{image_id}' has {len(image)} bands, those before it {len(self.images[0])}",
                    where="dataset.images",
                    fix="patches are stacked: choose a number of bands that all have, as scene.channels=...",
                )
            self.images.append(_packed(image))
        weights = getattr(images, "weights", None)
        self.cumulative = None if weights is None else torch.tensor(weights, dtype=torch.float64).cumsum(0)
        self.size, self.batch_size, self.seed, self.batches, self.rank = size, batch_size, seed, batches, rank
        self.epoch, self.skip = divmod(done, batches)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Float[Tensor, "b c p p"]]:
        worker = get_worker_info()
        share, of = (worker.id, worker.num_workers) if worker else (0, 1)
        generator = keyed_generator(self.seed, f"{self.epoch}/{self.rank}/{share}", "patches")
        skip, self.skip = self.skip, 0
        self.epoch += 1
        for index in range(share, self.batches, of):
            draws = torch.stack(
                [torch.randint(2**31, (4,), generator=generator) for _ in range(self.batch_size)]
            )
            if self.one_image:
                draws[:, 0] = draws[0, 0]
            if index >= skip:
                yield torch.stack([self._patch(draw) for draw in draws.tolist()])

    def _patch(self, draw: list[int]) -> Float[Tensor, "c p p"]:
        image = self.images[self._chosen(draw[0])]
        top = draw[1] % (image.shape[-2] - self.size + 1)
        left = draw[2] % (image.shape[-1] - self.size + 1)
        patch = _unpacked(image[:, top : top + self.size, left : left + self.size])
        if draw[3] & 1:
            patch = patch.flip(-1)
        quarters = (draw[3] >> 1) & 3
        if not self.turns:
            return patch.flip(-2) if quarters & 1 else patch
        return torch.rot90(patch, quarters, (-2, -1))

    def _chosen(self, draw: int) -> int:
        """Which image a draw of 31 bits stands for."""
        if self.cumulative is None:
            return draw % len(self.images)
        place = torch.searchsorted(self.cumulative, draw / 2**31, right=True)
        return min(int(place), len(self.images) - 1)


def _packed(image: Float[Tensor, "c h w"]) -> Shaped[Tensor, "c h w"]:
    """The image as uint8 if it consists of 8-bit levels, else as it is."""
    levels = (image.clamp(0, 1) * 255).round().to(torch.uint8)
    return levels if torch.equal(_unpacked(levels), image) else image


def _unpacked(image: Shaped[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    return image.float() / 255 if image.dtype == torch.uint8 else image
