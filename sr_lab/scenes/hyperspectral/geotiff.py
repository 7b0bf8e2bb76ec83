"""GeoTIFF through rasterio: all bands, reference system, no-data value, descriptions and tags."""

import importlib
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sr_lab.errors import UserError
from sr_lab.io.atomic import atomic_write
from sr_lab.io.images import damage_reported
from sr_lab.scenes.hyperspectral.checks import as_dtype, checked
from sr_lab.scenes.hyperspectral.cube import Cube, Georeference, Source
from sr_lab.scenes.hyperspectral.variables import in_nanometres

_IMAGERY = "IMAGERY"  # where GDAL 3.10 and later keep CENTRAL_WAVELENGTH_UM
_KEPT = ("compress", "interleave", "predictor", "photometric")


def read(path: Path) -> Cube:
    """Read a TIFF of one or more bands, georeferenced or not.

    Raises:
        UserError: damaged, or values that a cube cannot hold.
    """
    rasterio = _rasterio(path)
    with damage_reported(path), _quiet(rasterio), rasterio.open(path, driver="GTiff") as file:
        stored = file.read()
        profile = {key: file.profile[key] for key in _KEPT if key in file.profile}
        numbers = range(1, file.count + 1)
        extra = {
            "profile": profile,
            "tags": file.tags(),
            "descriptions": file.descriptions,
            "band_tags": [file.tags(number) for number in numbers],
            "imagery": [file.tags(number, ns=_IMAGERY) for number in numbers],
            "scales": file.scales,
            "offsets": file.offsets,
            "units": file.units,
        }
        placed = file.crs is not None or not file.transform.is_identity
        reference = None
        if placed:
            wkt = file.crs.to_wkt() if file.crs is not None else ""
            reference = Georeference(wkt, tuple(file.transform)[:6])
        nodata, scale, units = file.nodata, file.scales[0], file.units[0]
    same_scale = len(set(extra["scales"])) == 1 and scale not in (0, 1)
    missing = None if nodata is None or math.isnan(nodata) else nodata
    values, bad = checked(stored, path, nodata=missing)
    source = Source(path, "geotiff", stored.dtype, "bands_rows_columns", None, missing, extra)
    return Cube(
        values,
        bad,
        source,
        _wavelengths(extra),
        units=units,
        scale=1 / scale if same_scale else None,
        georeference=reference,
    )


def write(path: Path, values: np.ndarray, like: Cube) -> None:
    """Write (bands, rows, columns) with the type, tags and reference system it came with.

    The top left corner stays, and the pixels shrink as their number grows.
    """
    rasterio = _rasterio(path)
    source, (bands, rows, columns) = like.source, values.shape
    extra = source.extra
    profile = {
        **extra["profile"],
        "driver": "GTiff",
        "count": bands,
        "height": rows,
        "width": columns,
        "dtype": source.dtype.name,
        "nodata": source.nodata,
        "bigtiff": "if_safer",
    }
    if like.georeference is not None:
        a, b, c, d, e, f = like.georeference.transform
        right, down = columns / like.values.shape[2], rows / like.values.shape[1]
        profile["transform"] = rasterio.Affine(a / right, b / down, c, d / right, e / down, f)
        profile["crs"] = rasterio.crs.CRS.from_wkt(like.georeference.crs) if like.georeference.crs else None
    with _quiet(rasterio), rasterio.MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(as_dtype(values, source.dtype, source.nodata))
            file.update_tags(**extra["tags"])
            file.scales, file.offsets = extra["scales"], extra["offsets"]
            for number in range(1, bands + 1):
                file.update_tags(number, **extra["band_tags"][number - 1])
                file.update_tags(number, ns=_IMAGERY, **extra["imagery"][number - 1])
                if extra["descriptions"][number - 1]:
                    file.set_band_description(number, extra["descriptions"][number - 1])
                if extra["units"][number - 1]:
                    file.set_band_unit(number, extra["units"][number - 1])
        with atomic_write(path) as out:
            out.write(memory.read())


def _rasterio(path: Path) -> Any:
    try:
        return importlib.import_module("rasterio")
    except ImportError as fault:
        raise UserError(
            "GeoTIFF needs the package rasterio", where=str(path), fix="pip install 'sr-lab[hyperspectral]'"
        ) from fault


@contextmanager
def _quiet(rasterio: Any) -> Iterator[None]:
    """Let an image without a place on the ground pass without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield


def _wavelengths(extra: Mapping[str, Any]) -> np.ndarray | None:
    """From GDAL's CENTRAL_WAVELENGTH_UM, else from a tag `wavelength` of every band, with its units."""
    try:
        if all("CENTRAL_WAVELENGTH_UM" in tags for tags in extra["imagery"]):
            return 1000 * np.array([float(tags["CENTRAL_WAVELENGTH_UM"]) for tags in extra["imagery"]])
        lower = [{key.lower(): value for key, value in tags.items()} for tags in extra["band_tags"]]
        if all("wavelength" in tags for tags in lower):
            found = np.array([float(tags["wavelength"]) for tags in lower])
            return in_nanometres(found, lower[0].get("wavelength_units", ""))
    except ValueError:
        return None
    return None
