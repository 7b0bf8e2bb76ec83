"""Cube: all bands of one scene, and what its file says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

Format = Literal["mat5", "mat73", "npy", "hdf5", "envi", "geotiff"]
Layout = Literal["rows_columns_bands", "bands_rows_columns", "bands_pixels", "rows_columns"]


@dataclass(frozen=True)
class Georeference:
    """Where the pixels lie on the ground.

    Args:
        crs: coordinate reference system as WKT; empty if unknown.
        transform: (a, b, c, d, e, f) with x = a column + b row + c and y = d column + e row + f, both counted from
            the top left corner of the first pixel.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]


@dataclass(frozen=True, eq=False)
class Source:
    """What is needed to write a result as its input came.

    Args:
        path: where the cube was read.
        format: of the content.
        dtype: of the file's values.
        layout: order of the file's axes; `bands_pixels` counts pixels down the columns, as MATLAB does.
        key: variable or data set that holds the cube.
        nodata: value that stands for a missing one.
        extra: further facts that the format's own module understands.
    """

    path: Path
    format: Format
    dtype: np.dtype[Any]
    layout: Layout
    key: str | None = None
    nodata: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Cube:
    """A hyperspectral image in the units of its file.

    Args:
        values: finite but for bad bands.
        bad_bands: bands that the file rules out, that hold no number, or that are zero everywhere.
        source: how to write it back.
        wavelengths: centre of each band, nm; None where the file does not tell.
        units: of the values, such as `uW/cm^2/nm/sr`.
        scale: reflectance scale factor: values / scale is reflectance.
        georeference: None where the file has none.
    """

    values: Float32[np.ndarray, "bands h w"]
    bad_bands: Bool[np.ndarray, " bands"]
    source: Source
    wavelengths: Float64[np.ndarray, " bands"] | None = None
    units: str | None = None
    scale: float | None = None
    georeference: Georeference | None = None

    @property
    def good_bands(self) -> Int64[np.ndarray, " good"]:
        """Numbers of the usable bands, counted from 0."""
        return np.flatnonzero(~self.bad_bands).astype(np.int64)
