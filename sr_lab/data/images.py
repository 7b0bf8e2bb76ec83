"""Image collections: identified HR images, read one at a time."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.io.images import list_images, read_image


@runtime_checkable
class Images(Protocol):
    """A sized, ordered collection of (id, image)."""

    ids: list[str]

    def __len__(self) -> int:
        """Number of images."""
        ...

    def __getitem__(self, index: int) -> Float[Tensor, "c h w"]:
        """Image in the scene's normalised range, float32."""
        ...


@runtime_checkable
class Described(Protocol):
    """Images that know more of themselves than their pixels."""

    def facts(self, index: int) -> dict[str, Any]:
        """Facts by name, such as `wavelengths`."""
        ...


@runtime_checkable
class Real(Protocol):
    """Images that were taken at low resolution, so that no degradation is drawn for them."""

    def pair(self, index: int) -> tuple[Float[Tensor, "c h w"], Float[Tensor, "c hs ws"] | None]:
        """LR, and HR where it is known, in one range."""
        ...


class ImageFolder:
    """Image files of a folder, as RGB or grey in [0, 1].

    Args:
        root: folder, searched recursively, or one file.
        channels: 3 repeats grey images; 1 keeps luma of colour images (Pillow's weights); None keeps them as they are.
        only: keep the images whose id is listed: the relative path, without suffix where that is unique.
        skip: drop the first n, such as those held out for validation.
        limit: keep the first n of the rest.
        crop: [top, left, height, width] cut from every image.
    """

    def __init__(
        self,
        root: str,
        channels: int | None = 3,
        only: list[str] | None = None,
        skip: int = 0,
        limit: int | None = None,
        crop: list[int] | None = None,
    ) -> None:
        base = existing(root, "natural/")
        self.paths = list_images([base])
        named = dict(zip(ids_of(self.paths, base), self.paths, strict=True))
        stop = None if limit is None else skip + limit
        self.ids = keep_only(list(named), only, root)[skip:stop]
        self.paths = [named[image_id] for image_id in self.ids]
        self.channels, self.crop = channels, crop

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Float[Tensor, "c h w"]:
        image = torch.from_numpy(read_image(self.paths[index]).pixels).permute(2, 0, 1)
        return cut(as_channels(image, self.channels), self.crop, self.ids[index]).contiguous()


class SkimageImages:
    """Photographs that scikit-image's wheel carries (public domain or CC0).

    Args:
        names: functions of `skimage.data`, such as astronaut, cat, coffee, rocket.
        channels: 3, 1 or None, as in `ImageFolder`.
        crop: [top, left, height, width] cut from every image.
        shrink: integer factor of area averaging first, which also removes JPEG artefacts.
    """

    def __init__(
        self, names: list[str], channels: int | None = 3, crop: list[int] | None = None, shrink: int = 1
    ) -> None:
        self.ids = list(names)
        self.channels, self.crop, self.shrink = channels, crop, shrink

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Float[Tensor, "c h w"]:
        from skimage import data

        loader = getattr(data, self.ids[index], None)
        if not callable(loader):
            raise UserError(
                f"scikit-image has no photograph '{self.ids[index]}'",
                where="dataset.images.names",
                fix="use astronaut, cat, coffee or rocket",
            )
        pixels = torch.from_numpy(loader()).float() / 255
        image = pixels.permute(2, 0, 1) if pixels.ndim == 3 else pixels[None]
        image = as_channels(image[:3], self.channels)
        if self.shrink > 1:
            image = torch.nn.functional.avg_pool2d(image[None], self.shrink)[0]
            image = torch.round(image * 255) / 255
        return cut(image, self.crop, self.ids[index]).contiguous()


def existing(root: str, part: str) -> Path:
    """The folder or file that a config names.

    Args:
        root: as the config has it.
        part: of the data folder, where such files usually are.

    Raises:
        UserError: there is none.
    """
    base = Path(root).expanduser()
    if not base.exists():
        raise UserError(
            "no such folder or file",
            where=f"dataset.images.root={root}",
            fix=f"set it, or SR_LAB_DATA to the folder that holds {part}, ...; see `sr-lab doctor`",
        )
    return base


def ids_of(paths: Sequence[Path], root: Path) -> list[str]:
    """Ids of files: their paths relative to a folder (or the file's own), without suffix where that is unique."""
    folder = root if root.is_dir() else root.parent
    names = [path.relative_to(folder) for path in paths]
    stems = Counter(name.with_suffix("") for name in names)
    return [(name.with_suffix("") if stems[name.with_suffix("")] == 1 else name).as_posix() for name in names]


def keep_only(ids: list[str], only: list[str] | None, root: str) -> list[str]:
    """The ids that are wanted, in their own order; all of them where nothing is said.

    Raises:
        UserError: one that is wanted is not there.
    """
    missing = sorted(set(only or []) - set(ids))
    if missing:
        raise UserError(
            f"no image named {', '.join(missing)}",
            where=f"dataset.images.only in {root}",
            fix=f"the folder holds {', '.join(ids[:8])}{' ...' if len(ids) > 8 else ''}",
        )
    return [image_id for image_id in ids if not only or image_id in only]


def as_channels(image: Float[Tensor, "c h w"], channels: int | None) -> Float[Tensor, "c2 h w"]:
    """Grey to three equal channels, or colour to luma (BT.601 full range)."""
    if channels is None or image.shape[0] == channels:
        return image
    if channels == 3:
        return image[:1].repeat(3, 1, 1)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    return (image[:3] * weights).sum(0, keepdim=True)


def cut(image: Float[Tensor, "c h w"], crop: list[int] | None, image_id: str) -> Float[Tensor, "c h2 w2"]:
    """Cut [top, left, height, width] out of an image.

    Raises:
        UserError: it reaches beyond the image, or is empty.
    """
    if crop is None:
        return image
    top, left, height, width = crop
    inside = top >= 0 and left >= 0 and top + height <= image.shape[-2] and left + width <= image.shape[-1]
    if not inside or min(height, width) < 1:
        raise UserError(
            f"crop {list(crop)} leaves image '{image_id}' of {image.shape[-2]}x{image.shape[-1]}",
            where="dataset.images.crop",
            fix="crop is [top, left, height, width] in HR pixels",
        )
    return image[..., top : top + height, left : left + width]
