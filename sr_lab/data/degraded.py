"""HR images degraded one by one, with draws that depend on the dataset seed and the image id alone."""

from collections import defaultdict
from collections.abc import Collection, Iterator

from torch.utils.data import Dataset, Sampler

from sr_lab.data.images import Described, Images
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation, keyed_generator, modcrop
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
        image_id = self.image_id(index)
        scale = self.degradation.scale
        hr = modcrop(self.images[index % len(self.images)], scale)[None]
        if min(hr.shape[-2:]) < scale:
            raise UserError(f"image '{image_id}' is smaller than the scale x{scale}", fix="leave it out")
        images, number = self.images, index % len(self.images)
        facts = images.facts(number) if isinstance(images, Described) else {}
        degraded = self.degradation.degrade(hr, keyed_generator(self.seed, image_id), facts)
        return Sample(
            lr=degraded.lr,
            scale=scale,
            image_ids=[image_id],
            hr=hr,
            kernel=degraded.kernel,
            noise_level=degraded.noise_level,
            band_kernels=degraded.band_kernels,
            meta={image_id: facts} if facts else {},
        )


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
