"""GeoTIFF through rasterio, Sentinel-1's measurement files (complex of 16-bit integers, GCPs) among them."""

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sr_lab.errors import UserError
from sr_lab.io.atomic import atomic_write
from sr_lab.io.images import damage_reported
from sr_lab.scenes.sar.image import RadarImage, checked, one_band
from sr_lab.scenes.sar.kind import Kind
from sr_lab.scenes.sar.npy import as_stored

_COMPLEX_INTEGERS = "complex_int16"  # which NumPy does not know
_KEPT = ("compress", "interleave", "photometric")


def read(path: Path, kind: Kind | None, band: int | None) -> RadarImage:
    """Read one band with its place on the ground: an affine transform, or ground control points.

    Raises:
        UserError: rasterio is not installed, the file is damaged, or see `one_band` and `checked`.
    """
    rasterio = _rasterio(path)
    with damage_reported(path), _quiet(rasterio), rasterio.open(path, driver="GTiff") as file:
        chosen = band if band in range(file.count) else None
        stored = file.read() if chosen is None else file.read(chosen + 1)
        points, points_crs = file.gcps
        extra = {
            "profile": {key: file.profile[key] for key in _KEPT if key in file.profile},
            "tags": file.tags(),
            "transform": None if file.transform.is_identity else file.transform,
            "crs": file.crs,
            "gcps": points,
            "gcps_crs": points_crs,
            "nodata": file.nodata,
        }
        name = file.dtypes[0]
    values, found = checked(one_band(stored, band if chosen is None else None, path), kind, path)
    return RadarImage(values, found, path, "geotiff", name, kind is not None, extra)


def write(path: Path, values: np.ndarray, like: RadarImage) -> None:
    """Write (rows, columns) with the type, tags and place it came with; corners stay, and pixels shrink."""
    rasterio = _rasterio(path)
    extra, (rows, columns) = like.extra, values.shape
    down, right = rows / like.values.shape[0], columns / like.values.shape[1]
    profile = {
        **extra["profile"],
        "driver": "GTiff",
        "count": 1,
        "height": rows,
        "width": columns,
        "dtype": like.stored,
        "nodata": extra["nodata"],
        "bigtiff": "if_safer",
    }
    if extra["transform"] is not None:
        profile |= {
            "crs": extra["crs"],
            "transform": extra["transform"] @ rasterio.Affine.scale(1 / right, 1 / down),
        }
    if like.stored == _COMPLEX_INTEGERS:
        parts = as_stored(np.stack([np.real(values), np.imag(values)]), np.dtype(np.int16)).astype(np.float32)
        values = parts[0] + 1j * parts[1]
    else:
        values = as_stored(values, np.dtype(like.stored))
    with _quiet(rasterio), rasterio.MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(values[None])
            file.update_tags(**extra["tags"])
            if extra["gcps"]:
                file.gcps = (
                    [_moved(rasterio, point, down, right) for point in extra["gcps"]],
                    extra["gcps_crs"],
                )
        with atomic_write(path) as out:
            out.write(memory.read())


def _moved(rasterio: Any, point: Any, down: float, right: float) -> Any:
    return rasterio.control.GroundControlPoint(
        row=point.row * down,
        col=point.col * right,
        x=point.x,
        y=point.y,
        z=point.z,
        id=point.id,
        info=point.info,
    )


def _rasterio(path: Path) -> Any:
    try:
        module = importlib.import_module("rasterio")
        importlib.import_module("rasterio.control")
    except ImportError as fault:
        raise UserError(
            "GeoTIFF needs the package rasterio", where=str(path), fix="pip install 'sr-lab[sar]'"
        ) from fault
    return module


@contextmanager
def _quiet(rasterio: Any) -> Iterator[None]:
    """Let an image without a place on the ground pass without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield
