"""Tiles against the whole image."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_lab.degradation.resample import imresize
from sr_lab.methods.tiles import Padding, Solve, Tile, cells, restored_rows
from sr_lab.restorers import interpolated_rows


def restore_tiled(lr: torch.Tensor, scale: int, solve: Solve, **options: Any) -> torch.Tensor:
    """All rows in one."""
    return torch.cat(list(restored_rows(lr, scale, solve, **options)), -2)


def enlarge(piece: torch.Tensor, _: Tile) -> torch.Tensor:
    return piece.repeat_interleave(2, -2).repeat_interleave(2, -1)


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    tile=st.integers(8, 30),
    overlap=st.integers(0, 4).map(lambda half: 2 * half),
    margin=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_tiles_a_local_solver_gives_the_whole(
    height: int, width: int, tile: int, overlap: int, margin: int
) -> None:
    image = torch.rand(1, 2, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = restore_tiled(image, 2, enlarge, tile=tile, margin=margin, overlap=overlap)
    torch.testing.assert_close(found, enlarge(image, Tile(0, 0, height, width)))


@pytest.mark.parametrize(
    ("boundary", "numpy_mode"),
    [("reflect", "reflect"), ("symmetric", "symmetric"), ("circular", "wrap"), ("replicate", "edge")],
)
@pytest.mark.parametrize("margin", [3, 16])
def test_the_image_goes_on_as_asked(boundary: Padding, numpy_mode: str, margin: int) -> None:
    image = torch.rand(1, 1, 5, 7, generator=torch.Generator().manual_seed(0))
    seen: list[torch.Tensor] = []

    def keep(piece: torch.Tensor, tile: Tile) -> torch.Tensor:
        seen.append(piece)
        return piece

    restore_tiled(image, 1, keep, margin=margin, boundary=boundary)
    expected = np.pad(image[0, 0].numpy(), margin, mode=numpy_mode)  # pyright: ignore[reportArgumentType, reportCallIssue]
    np.testing.assert_array_equal(seen[0][0, 0].numpy(), expected)


def test_neighbours_that_differ_fade_into_each_other() -> None:
    """A solver that paints each tile in its own grey leaves ramps and no steps."""

    def paint(piece: torch.Tensor, tile: Tile) -> torch.Tensor:
        return torch.full_like(enlarge(piece, tile), float(tile.left))

    row = restore_tiled(torch.zeros(1, 1, 8, 64), 2, paint, tile=16, margin=2, overlap=8)[0, 0, 5]
    assert row.diff().min() >= 0
    assert row.diff().max() < 1.1
    assert (row[0], row[-1]) == (0, 44)


@pytest.mark.parametrize("factors", [(4, 2), (1, 3)])
def test_rows_and_columns_have_factors_of_their_own(factors: tuple[int, int]) -> None:
    image = torch.rand(1, 1, 70, 50, generator=torch.Generator().manual_seed(0))

    def solve(piece: torch.Tensor, _: Tile) -> torch.Tensor:
        return piece.repeat_interleave(factors[0], -2).repeat_interleave(factors[1], -1)

    found = torch.cat(list(restored_rows(image, factors, solve, tile=16, margin=3, overlap=8)), -2)
    torch.testing.assert_close(found, solve(image, Tile(0, 0, 70, 50)))


def test_a_sliver_joins_its_neighbour() -> None:
    assert cells(100, 32, 8) == [(0, 32), (32, 64), (64, 100)]
    assert cells(100, 32) == [(0, 32), (32, 64), (64, 96), (96, 100)]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_in_tiles_is_bicubic(scale: int) -> None:
    image = torch.rand(1, 3, 200, 11, generator=torch.Generator().manual_seed(0))
    found = torch.cat(list(interpolated_rows(image, scale)), -2)
    torch.testing.assert_close(found, imresize(image, scale), rtol=0, atol=1e-6)
