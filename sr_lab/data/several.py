"""Several sources of images as one, each with its share of the patches drawn."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from jaxtyping import Float
from torch import Tensor

from sr_lab.data.images import Described, Images
from sr_lab.errors import UserError


class Several:
    """Images of several sources, one source after the other.

    Args:
        sources: collections of images.
        shares: of each source among the patches of a training, whatever the number of its images; within a source all
            images are drawn alike.

    Raises:
        UserError: not one positive share a source, or two images of one id.
    """

    def __init__(self, sources: list[Images], shares: Sequence[float | int]) -> None:
        if len(shares) != len(sources) or min(shares, default=0) <= 0:
            raise UserError(
                f"{len(sources)} sources with shares {shares}",
                where="dataset.images.shares",
                fix="give each source one share above 0",
            )
        self.sources = sources
        self.ids = [image_id for source in sources for image_id in source.ids]
        doubled = sorted({image_id for image_id in self.ids if self.ids.count(image_id) > 1})
        if doubled:
            raise UserError(
                f"two images are called '{doubled[0]}'", where="dataset.images.sources", fix="rename one"
            )
        self._ends = list(accumulate(len(source) for source in sources))
        self.weights = [
            share / sum(shares) / len(source)
            for share, source in zip(shares, sources, strict=True)
            for _ in range(len(source))
        ]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Float[Tensor, "c h w"]:
        source, within = self._place(index)
        return source[within]

    def facts(self, index: int) -> dict[str, Any]:
        """What the image's own source knows of it."""
        source, within = self._place(index)
        return source.facts(within) if isinstance(source, Described) else {}

    def _place(self, index: int) -> tuple[Images, int]:
        """The source of an image, and its number there."""
        if not 0 <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        number = next(number for number, end in enumerate(self._ends) if index < end)
        return self.sources[number], index - (self._ends[number] - len(self.sources[number]))
