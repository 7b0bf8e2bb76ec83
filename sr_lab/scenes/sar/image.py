"""RadarImage: one image as its file holds it, and what is needed to write a result the same way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Num, Shaped

from sr_lab.degradation.band import Pair
from sr_lab.errors import UserError
from sr_lab.scenes.sar.kind import Kind

Format = Literal["npy", "geotiff", "sicd"]


@dataclass(frozen=True, eq=False)
class RadarImage:
    """One polarisation of a radar image, azimuth down the rows and range along the columns.

    Args:
        values: in file units: complex for an SLC.
        kind: what they are.
        path: where they were read.
        format: of the content.
        stored: name of the file's type of values.
        spacing: of pixels in azimuth and range, metres, where the file tells it.
        told: whether the kind was given, and not taken for the usual one.
        extra: further facts that the format's own module understands.
    """

    values: Num[np.ndarray, "h w"]
    kind: Kind
    path: Path
    format: Format
    stored: str
    told: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    spacing: Pair | None = None


def one_band(values: np.ndarray, band: int | None, path: Path) -> Shaped[np.ndarray, "h w"]:
    """The image among several polarisations.

    Args:
        values: (rows, columns), or (bands, rows, columns).
        band: its number, counted from 0; None: there is only one.
        path: for messages.

    Raises:
        UserError: no image, or several and none is named.
    """
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or values.size == 0:
        raise UserError(
            f"an array of shape {values.shape} is no image",
            where=str(path),
            fix="give (rows, columns), or (bands, rows, columns)",
        )
    if band is None and len(values) > 1:
        raise UserError(
            f"the file holds {len(values)} bands, and one image is restored at a time",
            where=str(path),
            fix="name one, counted from 0: --set scene.files.band=0 (real and imaginary part apart: store complex64)",
        )
    if not 0 <= (band or 0) < len(values):
        raise UserError(
            f"there is no band {band}", where=str(path), fix=f"the file has bands 0 to {len(values) - 1}"
        )
    return values[band or 0]


def checked(values: Shaped[np.ndarray, "h w"], kind: Kind | None, path: Path) -> tuple[np.ndarray, Kind]:
    """Values as complex64 or float64, and their kind.

    Args:
        values: as stored.
        kind: that was told; None: an SLC if complex, else an amplitude.
        path: for messages.

    Raises:
        UserError: no numbers, NaN or infinity, zero everywhere, or values that the kind cannot have.
    """
    where = str(path)
    if values.dtype.kind not in "iufc":
        raise UserError(f"the image holds {values.dtype}, not numbers", where=where, fix="export it again")
    if kind is None:
        kind = "slc" if values.dtype.kind == "c" else "amplitude"
    elif (values.dtype.kind == "c") != (kind == "slc"):
        held = "complex" if values.dtype.kind == "c" else "real"
        raise UserError(
            f"the image is {held}, and was called '{kind}'",
            where=where,
            fix="store an SLC as complex64; leave scene.files.kind=null for one",
        )
    wide = values.astype(np.complex64 if kind == "slc" else np.float64)
    missing = ~np.isfinite(wide)
    if missing.any():
        row, column = (int(place[0]) for place in np.nonzero(missing))
        raise UserError(
            f"{int(missing.sum())} values are NaN or infinite, the first at row {row}, column {column}, from 0",
            where=where,
            fix="cut the image to where it is whole",
        )
    if kind != "log" and not wide.any():
        raise UserError("the image is zero everywhere", where=where, fix="choose a part with data")
    if kind in ("amplitude", "intensity") and (wide < 0).any():
        raise UserError(
            f"{int((wide < 0).sum())} values are below 0: this is no {kind}",
            where=where,
            fix="decibels: --set scene.files.kind=log; one part of an SLC: store both as complex64",
        )
    return wide, kind
