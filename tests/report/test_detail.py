from __future__ import annotations

import numpy as np
import pytest

from sr_lab.report.detail import Region, detailed_region


def _busiest(pixels: np.ndarray, side: int, multiple: int) -> float:
    """The greatest sum of differences to the next row and column, window by window."""
    grey = pixels.mean(axis=2)
    change = np.zeros_like(grey)
    change[:-1] += np.abs(grey[1:] - grey[:-1])
    change[:, :-1] += np.abs(grey[:, 1:] - grey[:, :-1])
    height, width = (min(side, size) // multiple * multiple for size in grey.shape)
    return max(
        change[top : top + height, left : left + width].sum()
        for top in range(0, grey.shape[0] - height + 1, multiple)
        for left in range(0, grey.shape[1] - width + 1, multiple)
    )


@pytest.mark.parametrize(("side", "multiple"), [(8, 1), (8, 4), (7, 2), (100, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_finds_the_busiest_window(side: int, multiple: int, channels: int) -> None:
    random = np.random.default_rng(side)
    pixels = random.random((21, 34, channels)) * random.random((21, 34, 1)) ** 3
    region = detailed_region(pixels, side, multiple)
    assert all(value % multiple == 0 for value in region)
    assert region.top + region.height <= 21
    assert region.left + region.width <= 34
    grey = pixels.mean(axis=2)
    change = np.abs(np.diff(grey, axis=0, append=grey[-1:])) + np.abs(
        np.diff(grey, axis=1, append=grey[:, -1:])
    )
    assert region.cut(change).sum() == pytest.approx(_busiest(pixels, side, multiple))


def test_a_lone_texture_is_found_and_a_flat_picture_gives_its_centre() -> None:
    pixels = np.zeros((60, 80, 3), np.float32)
    assert detailed_region(pixels, 20) == Region(20, 30, 20, 20)
    pixels[40:50, 10:20] = np.random.default_rng(0).random((10, 10, 3))
    top, left, height, width = detailed_region(pixels, 12)
    assert top <= 40
    assert left <= 10
    assert (top + height, left + width) >= (50, 20)


def test_a_picture_smaller_than_the_window_is_taken_whole() -> None:
    assert detailed_region(np.ones((5, 9, 1)), 32) == Region(0, 0, 5, 9)
    assert Region(8, 4, 16, 12).divided((4, 4)) == Region(2, 1, 4, 3)
