"""Where to look closely: the square of a picture with most detail."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Region(NamedTuple):
    """A rectangle in pixels."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, pixels: np.ndarray) -> np.ndarray:
        """That part of (H, W, ...); less than asked for at the far edges of a smaller picture."""
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]

    def divided(self, factors: tuple[int, int]) -> "Region":
        """The same rectangle in a picture with so many times fewer rows and columns."""
        down, across = factors
        return Region(self.top // down, self.left // across, self.height // down, self.width // across)


def detailed_region(pixels: Float[np.ndarray, "h w c"], side: int, multiple: int = 1) -> Region:
    """Find the window with the greatest sum of absolute differences between neighbours.

    Args:
        pixels: (H, W, C), any range.
        side: of the window, cut to the picture.
        multiple: all four numbers of the answer are multiples of it (as far as the picture reaches).

    Returns:
        The window; of equals the one nearest the centre.
    """
    rows, columns = pixels.shape[:2]
    height, width = (max(min(side, size) // multiple * multiple, 1) for size in (rows, columns))
    grey = pixels @ np.full(pixels.shape[2], 1 / pixels.shape[2], pixels.dtype)
    change = np.abs(np.diff(grey, axis=0, append=grey[-1:])) + np.abs(
        np.diff(grey, axis=1, append=grey[:, -1:])
    )
    total = np.pad(change.cumsum(axis=0, dtype=np.float64).cumsum(axis=1), ((1, 0), (1, 0)))
    tops = np.arange(0, rows - height + 1, multiple)
    lefts = np.arange(0, columns - width + 1, multiple)
    sums = (
        total[np.ix_(tops + height, lefts + width)]
        - total[np.ix_(tops, lefts + width)]
        - total[np.ix_(tops + height, lefts)]
        + total[np.ix_(tops, lefts)]
    )
    from_centre = np.hypot(*np.ix_(tops + (height - rows) / 2, lefts + (width - columns) / 2))
    from_centre[sums < sums.max() - 1e-6 * (1 + abs(sums.max()))] = np.inf
    row, column = np.unravel_index(from_centre.argmin(), from_centre.shape)
    return Region(int(tops[row]), int(lefts[column]), height, width)
