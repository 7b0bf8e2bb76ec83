"""The order of axes in a file: told, recognised by the number of wavelengths or pixels, or the format's custom."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from sr_lab.errors import UserError
from sr_lab.scenes.hyperspectral.cube import Layout

_LONG = 4  # a matrix that much wider than high, with a square number of columns, holds a spectrum a column


def layout_of(
    shape: tuple[int, ...],
    path: Path,
    *,
    told: Layout | None = None,
    bands: int | None = None,
    size: tuple[int, int] | None = None,
    spectra_in_columns: bool = False,
) -> Layout:
    """Tell how a cube lies in an array.

    Args:
        shape: of the array.
        path: for messages.
        told: by the user; checked against the number of axes.
        bands: number of wavelengths in the file.
        size: rows and columns that the file tells.
        spectra_in_columns: whether a matrix may hold one spectrum a column, as unmixing sets do, rather than one band.

    Raises:
        UserError: other than 2 or 3 axes, or a matrix that may be both.
    """
    if len(shape) not in (2, 3):
        raise UserError(
            f"an array with {len(shape)} axes is no cube",
            where=str(path),
            fix="store (rows, columns, bands)",
        )
    if told is not None:
        if len(shape) != (3 if told in ("rows_columns_bands", "bands_rows_columns") else 2):
            raise UserError(
                f"layout '{told}' does not fit an array of shape {shape}", where=str(path), fix="leave it out"
            )
        return told
    if len(shape) == 3:
        along = [axis for axis in (2, 0) if shape[axis] == bands]
        return "bands_rows_columns" if along == [0] else "rows_columns_bands"
    if not spectra_in_columns:
        return "rows_columns"
    rows, columns = shape
    if size is not None and size[0] * size[1] == columns:
        return "bands_pixels"
    if math.isqrt(columns) ** 2 != columns or columns <= rows:
        return "rows_columns"
    if columns >= _LONG * rows or rows == bands:
        return "bands_pixels"
    raise UserError(
        f"a matrix of shape {shape} may be one band, or a spectrum a column",
        where=str(path),
        fix="say scene.files.layout=rows_columns or bands_pixels (dataset.images.layout of a run)",
    )


def to_cube(
    array: Shaped[np.ndarray, "..."], layout: Layout, size: tuple[int, int] | None, path: Path
) -> Shaped[np.ndarray, "bands h w"]:
    """View an array as (bands, rows, columns).

    Args:
        array: as stored.
        layout: of the array.
        size: rows and columns of `bands_pixels`; None: a square.
        path: for messages.

    Raises:
        UserError: the pixels make neither that size nor a square.
    """
    if layout == "rows_columns_bands":
        return array.transpose(2, 0, 1)
    if layout == "bands_rows_columns":
        return array
    if layout == "rows_columns":
        return array[None]
    pixels = array.shape[1]
    rows, columns = size or (math.isqrt(pixels), math.isqrt(pixels))
    if rows * columns != pixels:
        raise UserError(
            f"{pixels} pixels do not make {rows} rows of {columns}",
            where=str(path),
            fix="store the size as nRow and nCol, or the cube as (rows, columns, bands)",
        )
    return array.reshape(len(array), columns, rows).transpose(0, 2, 1)


def from_cube(values: Shaped[np.ndarray, "bands h w"], layout: Layout) -> Shaped[np.ndarray, "..."]:
    """Undo `to_cube`."""
    if layout == "rows_columns_bands":
        return values.transpose(1, 2, 0)
    if layout == "bands_rows_columns":
        return values
    if layout == "rows_columns":
        return values[0]
    return values.transpose(0, 2, 1).reshape(len(values), -1)
