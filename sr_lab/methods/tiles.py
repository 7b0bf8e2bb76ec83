"""Restoration in tiles, a row of them at a time, so that memory stays bounded whatever the image's size."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from tqdm import tqdm

from sr_lab.degradation.blur import Boundary
from sr_lab.degradation.factors import Factors, both


class Tile(NamedTuple):
    """Part of an LR image that one call of a solver restores, without its margin."""

    top: int
    left: int
    height: int
    width: int


Solve = Callable[[Float[Tensor, "b c h w"], Tile], Float[Tensor, "b c2 hs ws"]]
Padding = Boundary | Literal["symmetric"]


def restored_rows(
    lr: Float[Tensor, "b c h w"],
    scale: int | Factors,
    solve: Solve,
    *,
    tile: int = 192,
    margin: int = 16,
    overlap: int = 0,
    boundary: Padding = "reflect",
    label: str | None = None,
) -> Iterator[Float[Tensor, "b c2 rows ws"]]:
    """Apply `solve` to padded tiles, keep the middle of each, and give the result from the top down.

    The margin keeps a solver's circular boundary, and what lies behind a tile's edge, out of the result; an image
    smaller than a tile is restored in one piece with the same margin.

    Args:
        lr: image.
        scale: s, by which `solve` enlarges, or the factors of rows and columns.
        solve: from an LR tile with its margin, and the tile's place, to the enlarged piece.
        tile: distance from tile to tile, LR pixels.
        margin: LR pixels around a tile, at least a kernel's radius plus the network's reach.
        overlap: LR pixels across which neighbours fade into each other, linearly and with weights that sum to 1; for
            tiles that are restored differently.
        boundary: how the image goes on beyond its edge; `symmetric` repeats the edge pixel, as MATLAB does.
        label: of a progress bar over the tiles, which is shown from the fifth on; None: no bar.
    """
    height, width = lr.shape[-2:]
    half = overlap // 2
    down, across = both(scale)
    rows, columns = cells(height, tile, overlap), cells(width, tile, overlap)
    beyond_y, beyond_x = (_extended(side, margin, boundary).to(lr.device) for side in (height, width))
    below = lr.new_zeros(0)  # what the tiles above have added to the next rows
    count = len(rows) * len(columns)
    bar = tqdm(
        total=count, desc=label, unit="tile", leave=False, disable=None if label and count > 4 else True
    )
    for first, last in rows:
        top, bottom = max(first - half, 0), min(last + half, height)
        strip: Tensor | None = None  # of as many channels as the pieces have
        padded = lr[..., beyond_y[top : bottom + 2 * margin], :]
        fade_y = _fade(top, bottom, (first, last), height, half, down).to(lr)
        for start, end in columns:
            left, right = max(start - half, 0), min(end + half, width)
            piece = padded[..., beyond_x[left : right + 2 * margin]]
            solved = solve(piece, Tile(top, left, bottom - top, right - left))
            solved = solved[..., margin * down :, margin * across :]
            if strip is None:
                strip = lr.new_zeros(*solved.shape[:2], (bottom - top) * down, width * across)
            fade = fade_y[:, None] * _fade(left, right, (start, end), width, half, across).to(lr)
            strip[..., left * across : right * across] += solved[..., : len(fade), : fade.shape[1]] * fade
            bar.update()
        assert strip is not None
        if below.numel():
            strip[..., : below.shape[-2], :] += below
        done = ((height if last == height else last - half) - top) * down
        yield strip[..., :done, :]
        below = strip[..., done:, :]
    bar.close()


def cells(length: int, tile: int, overlap: int = 0) -> list[tuple[int, int]]:
    """First and last + 1 pixel of each tile along an axis; a last one narrower than the overlap joins its neighbour."""
    starts = list(range(0, length, tile))
    if len(starts) > 1 and length - starts[-1] < overlap:
        starts.pop()
    return list(zip(starts, [*starts[1:], length], strict=True))


def _fade(
    first: int, last: int, cell: tuple[int, int], length: int, half: int, scale: int
) -> Float[Tensor, " n"]:
    """Weights of the SR pixels of LR pixels first..last: 1 inside the cell, fading within `half` of its ends."""
    at = first + (torch.arange((last - first) * scale, dtype=torch.float64) + 0.5) / scale
    weight = torch.ones_like(at)
    if half and cell[0] > 0:
        weight *= ((at - cell[0] + half) / (2 * half)).clamp(0, 1)
    if half and cell[1] < length:
        weight *= ((cell[1] + half - at) / (2 * half)).clamp(0, 1)
    return weight


def _extended(length: int, margin: int, boundary: Padding) -> Int64[Tensor, " n"]:
    """Which pixel stands at each place from -margin to length + margin."""
    place = torch.arange(-margin, length + margin)
    if boundary == "circular":
        return place % length
    if boundary == "replicate":
        return place.clamp(0, length - 1)
    if boundary == "symmetric":
        return torch.minimum(place % (2 * length), -(place + 1) % (2 * length))
    period = max(2 * (length - 1), 1)
    return torch.minimum(place % period, -place % period)
