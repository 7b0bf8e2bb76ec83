"""Cubes on disk: the content decides which format a file is read as, and a result is written as its input came."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sr_lab.errors import UserError
from sr_lab.io.images import read_head
from sr_lab.io.listing import list_files
from sr_lab.scenes.hyperspectral import envi, geotiff, hdf5, matlab, npy
from sr_lab.scenes.hyperspectral.cube import Cube, Format, Layout

CUBE_SUFFIXES = (".mat", ".npy", ".h5", ".hdf5", envi.HEADER, ".tif", ".tiff")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WRITERS: dict[Format, Any] = {
    "mat5": matlab.write,
    "mat73": matlab.write,
    "npy": npy.write,
    "hdf5": hdf5.write,
    "envi": envi.write,
    "geotiff": geotiff.write,
}


def read_cube(path: str | Path, *, key: str | None = None, layout: Layout | None = None) -> Cube:
    """Read a cube: MATLAB (v5, v7.3), .npy, HDF5, ENVI (header or raw file) or GeoTIFF. Nothing is unpickled.

    Args:
        path: of the file.
        key: variable or data set, for MATLAB and HDF5; None: the only one that may be a cube.
        layout: order of the axes, for MATLAB, HDF5 and .npy; None: what the file tells, else (rows, columns, bands).

    Raises:
        UserError: missing, empty, damaged, no cube, several cubes, or values that a cube cannot hold (complex,
            missing ones in usable bands).
    """
    path = Path(path)
    head = read_head(path)
    suffix = path.suffix.lower()
    if head.startswith(b"MATLAB 7.3") or (head.startswith(_HDF5) and suffix == ".mat"):
        return matlab.read(path, key, layout, newer=True)
    if head.startswith(_HDF5):
        return hdf5.read(path, key, layout)
    if head.startswith(b"\x93NUMPY"):
        return npy.read(path, layout)
    if head.startswith(_TIFF):
        return geotiff.read(path)
    if suffix == envi.HEADER or (not head.startswith(b"MATLAB") and envi.is_pair(path)):
        return envi.read(path)
    if suffix == ".mat":
        return matlab.read(path, key, layout, newer=False)
    raise UserError(
        "the content is not a cube of a supported format",
        where=str(path),
        fix=f"give a file ending in {', '.join(CUBE_SUFFIXES)}",
    )


def write_cube(path: str | Path, values: Float[np.ndarray, "bands h w"], like: Cube) -> None:
    """Write values as the cube they were made from came: format, key, layout, type, wavelengths; whole or not at all.

    Args:
        path: of the result; parent folders are made.
        values: in the units of `like`; integers are rounded and clipped. Sides may differ from those of `like`: a
            georeference keeps its top left corner, and its pixels change in size.
        like: the input.

    Raises:
        UserError: the file cannot be made there.
        ValueError: another number of bands.
    """
    if len(values) != len(like.values):
        raise ValueError(f"{len(values)} bands, the input has {len(like.values)}")
    _WRITERS[like.source.format](Path(path), values, like)


def list_cubes(paths: Iterable[str | Path]) -> list[Path]:
    """Files as given, and all files of folders with one of `CUBE_SUFFIXES`; see `list_files`."""
    return list_files(paths, CUBE_SUFFIXES, "cube")
