"""Photographs as a person has them: any usual picture file, alpha beside."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.io.images import Levels, Picture, check_size, list_images, read_image, to_levels, write_image
from sr_lab.scenes.base import Enlarge


class Pictures:
    """PNG, JPEG, TIFF, BMP and WebP files."""

    def find(self, folder: Path) -> list[Path]:
        """Pictures in a folder."""
        return list_images([folder])

    def open(self, path: Path) -> "OpenedPicture":
        """Read a picture."""
        return OpenedPicture(read_image(path))


@dataclass(frozen=True)
class OpenedPicture:
    """A picture whose result has its format, bit depth, profile and alpha."""

    picture: Picture

    def image(self) -> Float[Tensor, "1 c h w"]:
        """Grey or RGB in [0, 1]."""
        return torch.from_numpy(self.picture.pixels).permute(2, 0, 1)[None]

    def check(self, target: Path, scale: int) -> None:
        """See that the format can hold so many pixels."""
        height, width = self.picture.pixels.shape[:2]
        check_size(target, self.picture.format, height * scale, width * scale)

    def write(
        self, target: Path, rows: Iterable[Float[Tensor, "1 c rows ws"]], scale: int, enlarge: Enlarge
    ) -> list[str]:
        """Write it; alpha is interpolated."""
        picture = self.picture
        height, width, channels = picture.pixels.shape
        pixels = _levels(rows, (height * scale, width * scale, channels), picture.bits)
        alpha = None
        if picture.alpha is not None:
            more = enlarge(torch.from_numpy(picture.alpha)[None, None])
            alpha = _levels(more, (height * scale, width * scale, 1), picture.bits)[..., 0]
        write_image(target, pixels, bits=picture.bits, alpha=alpha, format=picture.format, icc=picture.icc)
        return []


def _levels(
    rows: Iterable[Float[Tensor, "1 c rows ws"]], shape: tuple[int, int, int], bits: Literal[8, 16]
) -> Levels:
    """The levels of a result as they come: a large result is never held as floats."""
    levels = np.empty(shape, np.uint8 if bits == 8 else np.uint16)
    top = 0
    for part in rows:
        levels[top : top + part.shape[-2]] = to_levels(part[0].permute(1, 2, 0).cpu().numpy(), bits)
        top += part.shape[-2]
    return levels
