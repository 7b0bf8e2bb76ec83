"""What values a cube may hold: numbers everywhere but in whole bands, which are then bad."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32

from sr_lab.errors import UserError


class Checked(NamedTuple):
    """Values of a cube and its bad bands."""

    values: Float32[np.ndarray, "bands h w"]
    bad_bands: Bool[np.ndarray, " bands"]


def checked(
    array: np.ndarray,
    path: Path,
    *,
    bad_bands: Bool[np.ndarray, " bands"] | None = None,
    nodata: float | None = None,
) -> Checked:
    """Values as float32, and the bands that are of no use.

    Args:
        array: (bands, rows, columns) as stored.
        path: for messages.
        bad_bands: that the file itself rules out; their values are not looked at.
        nodata: value that stands for a missing one; becomes NaN.

    Raises:
        UserError: empty, complex or no numbers; no usable band; or single values missing in a usable band.
    """
    if array.dtype.kind == "c" or array.dtype.names == ("real", "imag"):
        raise UserError("the cube is complex", where=str(path), fix="store its magnitude")
    if array.dtype.kind not in "iuf":
        raise UserError(
            f"the cube holds {array.dtype}, not numbers", where=str(path), fix="store floats or integers"
        )
    if array.ndim != 3 or array.size == 0:
        raise UserError(
            f"the cube is empty: its shape is {array.shape}", where=str(path), fix="export it again"
        )
    with np.errstate(over="ignore"):
        values = np.array(array, dtype=np.float32, order="C")
    if nodata is not None:
        values[array == nodata] = np.nan
    bad = np.zeros(len(values), dtype=bool) if bad_bands is None else bad_bands.copy()
    missing = ~np.isfinite(values)
    bad |= missing.all((1, 2)) | (values == 0).all((1, 2))
    if bad.all():
        raise UserError(
            "no band is usable: each is zero everywhere, without numbers, or ruled out",
            where=str(path),
            fix="export it again, or name another key",
        )
    places = np.argwhere(missing & ~bad[:, None, None])
    if len(places):
        band, row, column = (int(value) for value in places[0])
        raise UserError(
            f"{len(places)} values are missing (NaN, infinite or no-data), the first in band {band} at row {row}, "
            f"column {column}, counted from 0",
            where=str(path),
            fix="fill them from their neighbours, or cut the scene to where it is whole",
        )
    return Checked(values, bad)


def as_dtype(values: np.ndarray, dtype: np.dtype, nodata: float | None = None) -> np.ndarray:
    """Values in a file's own type: integers rounded and clipped, NaN as no-data or 0; floats as they are.

    An integer that would be taken for no-data becomes its neighbour.
    """
    if dtype.kind == "f":
        missing = np.isnan(values) if nodata is not None else None
        out = values.astype(dtype)
        if missing is not None:
            out[missing] = nodata
        return out
    limits = np.iinfo(dtype)
    missing = np.isnan(values)
    # float64 holds the limits of 32 bits; those of 64 bits it would round beyond the type
    top = limits.max if limits.bits <= 32 else np.nextafter(float(limits.max), 0)
    levels = np.clip(np.rint(np.where(missing, 0, values).astype(np.float64)), limits.min, top).astype(dtype)
    if nodata is not None:
        levels[levels == nodata] = nodata + 1 if nodata < limits.max else nodata - 1
        levels[missing] = nodata
    return levels
