"""ENVI: a text header beside a raw file."""

import importlib
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sr_lab.errors import UserError
from sr_lab.io.atomic import atomic_write, write_text
from sr_lab.io.images import damage_reported, read_head
from sr_lab.scenes.hyperspectral.checks import as_dtype, checked
from sr_lab.scenes.hyperspectral.cube import Cube, Georeference, Source
from sr_lab.scenes.hyperspectral.variables import in_nanometres

HEADER = ".hdr"
_RAW = ("", ".img", ".dat", ".raw", ".bin", ".bsq", ".bil", ".bip")
_AXES = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}  # of (bands, rows, columns)
_TYPES = {
    1: "u1",
    2: "i2",
    3: "i4",
    4: "f4",
    5: "f8",
    6: "c8",
    9: "c16",
    12: "u2",
    13: "u4",
    14: "i8",
    15: "u8",
}


def read(path: Path) -> Cube:
    """Read an ENVI image by its header or by its raw file.

    Raises:
        UserError: the other file is missing, the raw file is shorter than the header says, or values that a cube
            cannot hold.
    """
    header_path, raw_path = pair(path)
    envi = _envi(path)
    with damage_reported(header_path):
        header: dict[str, Any] = envi.read_envi_header(str(header_path))
        rows, columns, bands = (int(header[key]) for key in ("lines", "samples", "bands"))
        interleave = str(header["interleave"]).lower()
        axes = _AXES[interleave]
        order = "<>"[int(header.get("byte order", 0))]
        dtype = np.dtype(order + _TYPES[int(header["data type"])])
        offset = int(header.get("header offset", 0))
    shape = tuple((bands, rows, columns)[axis] for axis in axes)
    needed, there = offset + math.prod(shape) * dtype.itemsize, raw_path.stat().st_size
    if min(shape) < 1 or there < needed:
        raise UserError(
            f"the header tells of {bands} bands of {rows} x {columns}, {needed} bytes; the file has {there}",
            where=str(raw_path),
            fix="copy or export it again",
        )
    stored = np.memmap(raw_path, dtype, "r", offset, shape).transpose(np.argsort(axes))
    good = _numbers(header, "bbl", bands)
    nodata = _number(header, "data ignore value")
    values, bad = checked(stored, raw_path, bad_bands=None if good is None else good == 0, nodata=nodata)
    wavelengths = _numbers(header, "wavelength", bands)
    extra = {"header": header, "raw": raw_path.suffix, "appended": header_path.stem == raw_path.name}
    source = Source(path, "envi", dtype, "bands_rows_columns", interleave, nodata, extra)
    return Cube(
        values,
        bad,
        source,
        None if wavelengths is None else in_nanometres(wavelengths, str(header.get("wavelength units", ""))),
        units=header.get("data units"),
        scale=_number(header, "reflectance scale factor"),
        georeference=_georeference(header),
    )


def write(path: Path, values: np.ndarray, like: Cube) -> None:
    """Write (bands, rows, columns) with the interleave, type and header it came with; the header comes last.

    Args:
        path: of the header or of the raw file, as the input was given.
        values: in file units.
        like: the input; its `map info` keeps the corner, and the pixels shrink.
    """
    source = like.source
    base = path.with_suffix("") if path.suffix.lower() == HEADER else path
    if source.extra["appended"]:
        header_path, raw_path = base.with_name(base.name + HEADER), base
    else:
        header_path, raw_path = base.with_suffix(HEADER), base.with_suffix(source.extra["raw"])
    bands, rows, columns = values.shape
    header = dict(source.extra["header"])
    header |= {"bands": bands, "lines": rows, "samples": columns, "header offset": 0}
    if "map info" in header:
        factors = rows / like.values.shape[1], columns / like.values.shape[2]
        header["map info"] = _shrunk(header["map info"], *factors)
    header.pop("x start", None)  # of the input, in pixels that are gone
    header.pop("y start", None)
    stored = as_dtype(values, source.dtype, source.nodata).transpose(_AXES[str(source.key)])
    text = _header_text(header, path)
    with atomic_write(raw_path) as file:
        file.write(np.ascontiguousarray(stored).data)
    write_text(header_path, text)


def pair(path: Path) -> tuple[Path, Path]:
    """Header and raw file of an ENVI image, given either.

    Raises:
        UserError: one of them is missing, or the header is none.
    """
    if path.suffix.lower() == HEADER:
        base = path.with_suffix("")
        # image.dat.hdr belongs to image.dat, image.hdr to image.dat, image.img, ... or image
        raws = [base, *(base.with_name(base.name + suffix) for suffix in _RAW if suffix)]
        headers = [path]
    else:
        headers = [path.with_name(path.name + HEADER), path.with_suffix(HEADER)]
        raws = [path]
    header = next((one for one in headers if one.is_file()), None)
    raw = next((one for one in raws if one.is_file()), None)
    if header is None or raw is None:
        absent = headers if header is None else raws
        raise UserError(
            "an ENVI image is two files, and the other one is missing",
            where=str(path),
            fix=f"put it beside, as {absent[0].name}",
        )
    if not read_head(header).startswith(b"ENVI"):
        raise UserError("this is no ENVI header", where=str(header), fix="its first line is ENVI")
    return header, raw


def is_pair(path: Path) -> bool:
    """Whether a file is the raw part of an ENVI image."""
    try:
        pair(path)
    except UserError:
        return False
    return True


def _envi(path: Path) -> Any:
    try:
        return importlib.import_module("spectral.io.envi")
    except ImportError as fault:
        raise UserError(
            "ENVI images need the package spectral",
            where=str(path),
            fix="pip install 'sr-lab[hyperspectral]'",
        ) from fault


def _header_text(header: Mapping[str, Any], path: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / f"header{HEADER}"
        _envi(path).write_envi_header(str(made), dict(header))
        return made.read_text(encoding="utf-8")


def _numbers(header: Mapping[str, Any], key: str, count: int) -> np.ndarray | None:
    found = header.get(key)
    if not isinstance(found, list) or len(found) != count:
        return None
    try:
        return np.array([float(item) for item in found])
    except ValueError:
        return None


def _number(header: Mapping[str, Any], key: str) -> float | None:
    try:
        return float(header[key])
    except (KeyError, TypeError, ValueError):
        return None


def _georeference(header: Mapping[str, Any]) -> Georeference | None:
    """From `map info`: projection, reference pixel (1, 1 is the top left corner), its place, pixel sizes."""
    info = header.get("map info")
    if not isinstance(info, list) or len(info) < 7 or any("rotation" in item.lower() for item in info):
        return None
    try:
        column, row, east, north, width, height = (float(item) for item in info[1:7])
    except ValueError:
        return None
    projection = header.get("coordinate system string", "")
    crs = ",".join(projection) if isinstance(projection, list) else str(projection)
    corner = east - (column - 1) * width, north + (row - 1) * height
    return Georeference(crs, (width, 0.0, corner[0], 0.0, -height, corner[1]))


def _shrunk(info: list[str], down: float, right: float) -> list[str]:
    """`map info` of an image enlarged by these factors; the reference pixel stays where it is on the ground."""
    column, row, width, height = (float(info[index]) for index in (1, 2, 5, 6))
    moved = {1: (column - 1) * right + 1, 2: (row - 1) * down + 1, 5: width / right, 6: height / down}
    return [repr(moved[index]) if index in moved else item for index, item in enumerate(info)]
