"""HR images degraded one by one, with draws that depend on the dataset seed and the image id alone."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from sr_lab.data.images import Described, Images, Real
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation, keyed_generator, modcrop
from sr_lab.degradation.factors import enlarged_sides, named
from sr_lab.errors import UserError


class DegradedImages(Dataset[Sample]):
    """Samples of a test set.

    Args:
        images: HR images.
        degradation: applied to each alone.
        seed: of the dataset, not of the method.
        draws: different kernels per image; ids get a suffix `@1`, `@2`, ... from the second on.
    """

    def __init__(self, images: Images, degradation: Degradation, seed: int, draws: int = 1) -> None:
        self.images, self.degradation, self.seed, self.draws = images, degradation, seed, draws

    def __len__(self) -> int:
        return len(self.images) * self.draws

    def image_id(self, index: int) -> str:
        """Id of a sample."""
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        draw, image = divmod(index, len(self.images))
        return self.images.ids[image] + (f"@{draw}" if draw else "")

    def __getitem__(self, index: int) -> Sample:
        image_id, number = self.image_id(index), index % len(self.images)
        facts = self.images.facts(number) if isinstance(self.images, Described) else {}
        meta = {image_id: facts} if facts else {}
        if isinstance(self.images, Real):
            return self._real(*self.images.pair(number), image_id, meta)
        scale = self.degradation.scale
        hr = modcrop(self.images[number], self.degradation.factors)[None]
        if 0 in hr.shape:
            raise UserError(f"image '{image_id}' is smaller than the scale x{scale}", fix="leave it out")
        degraded = self.degradation.degrade(hr, keyed_generator(self.seed, image_id), facts)
        return Sample(
            lr=degraded.lr,
            scale=scale,
            image_ids=[image_id],
            hr=hr,
            kernel=degraded.kernel,
            noise_level=degraded.noise_level,
            band_kernels=degraded.band_kernels,
            meta=meta,
        )

    def _real(
        self,
        lr: Float[Tensor, "c h w"],
        hr: Float[Tensor, "c hs ws"] | None,
        image_id: str,
        meta: dict[str, Any],
    ) -> Sample:
        scale, factors = self.degradation.scale, self.degradation.factors
        if hr is not None and hr.shape[-2:] != enlarged_sides(lr, factors):
            raise UserError(
                f"LR and HR of '{image_id}' are {_size(lr)} and {_size(hr)}, which is not {named(factors)}",
                where="scale",
                fix="set the scale of these pairs, or leave the image out",
            )
        return Sample(lr[None], scale, [image_id], None if hr is None else hr[None], meta=meta)


def _size(image: Float[Tensor, "c h w"]) -> str:
    return f"{image.shape[-2]}x{image.shape[-1]}"


class SameSizeBatches(Sampler[list[int]]):
    """Batches of images that share one size, in the order of the dataset.

    Args:
        dataset: whose images are grouped.
        batch_size: at most this many a batch.
        skip: image ids to leave out.
        rank, world: the share of one process out of several; whole batches are dealt out.
    """

    def __init__(
        self,
        dataset: DegradedImages,
        batch_size: int,
        rank: int = 0,
        world: int = 1,
        skip: Collection[str] = (),
    ) -> None:
        wanted = [index for index in range(len(dataset)) if dataset.image_id(index) not in skip]
        if batch_size == 1:
            batches = [[index] for index in wanted]
        else:
            groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
            for index in wanted:
                groups[tuple(dataset.images[index % len(dataset.images)].shape)].append(index)
            batches = [
                group[start : start + batch_size]
                for group in groups.values()
                for start in range(0, len(group), batch_size)
            ]
        self.batches = batches[rank::world]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)
