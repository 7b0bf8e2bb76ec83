"""How much of their pixel grid the images of a folder use, before one trains or tests on them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sr_lab.errors import UserError
from sr_lab.io.images import list_images, read_image
from sr_lab.metrics.bandwidth import bandwidth

OVERSAMPLED = 0.7  # part of Nyquist; with less, half of the pixels say the same
SMALLEST = 32  # px a side


@dataclass(frozen=True)
class Audited:
    """One file.

    Args:
        path: of the file.
        size: width and height.
        bits: a sample.
        bandwidth: part of Nyquist; see `bandwidth`.
    """

    path: Path
    size: tuple[int, int]
    bits: int
    bandwidth: float

    @property
    def verdict(self) -> str:
        """What is wrong with it as ground truth, or nothing."""
        if self.bandwidth == 0:
            return "flat"
        if self.bandwidth >= OVERSAMPLED:
            return ""
        return (
            f"holds detail up to {self.bandwidth:.2f} of the pixel grid's Nyquist: "
            f"an image of {self.bandwidth:.2f} of the side says the same"
        )


def audit(path: Path) -> Audited:
    """Judge a picture; colour by its mean.

    Raises:
        UserError: it cannot be read, or is too small to judge.
    """
    picture = read_image(path)
    height, width = picture.pixels.shape[:2]
    if min(height, width) < SMALLEST:
        raise UserError(f"smaller than {SMALLEST} px", where=str(path), fix="leave it out")
    levels = picture.pixels.mean(2, dtype=np.float64) * (2**picture.bits - 1)
    return Audited(path, (width, height), picture.bits, bandwidth(levels))


def report(folder: Path) -> Iterator[str]:
    """A line for each picture below a folder, or for one file, and what they mean together.

    Raises:
        UserError: no such folder, or no picture in it.
    """
    paths = list_images([folder])
    yield f"{'size':>11}  bits  bandwidth  file"
    found: list[Audited] = []
    for path in paths:
        name = path.name if path == folder else path.relative_to(folder)
        try:
            audited = audit(path)
        except UserError as error:
            yield f"{'-':>11}  {'-':>4}  {'-':>9}  {name}: {error.what}"
            continue
        found.append(audited)
        width, height = audited.size
        verdict = f": {audited.verdict}" if audited.verdict else ""
        yield f"{f'{width} x {height}':>11}  {audited.bits:>4}  {audited.bandwidth:>9.2f}  {name}{verdict}"
    count = sum(bool(audited.verdict) for audited in found)
    yield (
        f"{count} of {len(found)} images hold no detail above {OVERSAMPLED:g} of Nyquist: they were enlarged before, "
        "or the optics are soft (noise and repeated pixels count as detail)"
    )
