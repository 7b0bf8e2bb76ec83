"""Radar images on disk: the content decides which format a file is read as, and a result is written as its input."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Num

from sr_lab.errors import UserError
from sr_lab.io.images import read_head
from sr_lab.io.listing import list_files
from sr_lab.scenes.sar import geotiff, npy, sicd
from sr_lab.scenes.sar.image import RadarImage
from sr_lab.scenes.sar.kind import Kind

RADAR_SUFFIXES = (".npy", ".tif", ".tiff", ".ntf", ".nitf", ".sicd")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_radar(path: str | Path, *, kind: Kind | None = None, band: int | None = None) -> RadarImage:
    """Read a radar image: .npy, GeoTIFF (Sentinel-1 too) or SICD. Nothing is unpickled.

    Args:
        path: of the file.
        kind: what its values are; None: an SLC if they are complex, else an amplitude, as GRD products are.
        band: number of the polarisation, counted from 0, where the file holds several.

    Raises:
        UserError: missing, empty, damaged, of another format, or without a usable image.
    """
    path = Path(path)
    head = read_head(path)
    if head.startswith(b"\x93NUMPY"):
        return npy.read(path, kind, band)
    if head.startswith(_TIFF):
        return geotiff.read(path, kind, band)
    if head.startswith(b"NITF"):
        return sicd.read(path, kind)
    raise UserError(
        "the content is not a radar image of a supported format",
        where=str(path),
        fix=f"give a file ending in {', '.join(RADAR_SUFFIXES)}",
    )


def write_radar(path: str | Path, values: Num[np.ndarray, "h w"], like: RadarImage) -> None:
    """Write values as the image they were made from came: format, type, place on the ground; whole or not at all.

    Args:
        path: of the result; parent folders are made.
        values: of the kind and in the units of `like`; the sides are whole multiples of its own.
        like: the input.

    Raises:
        UserError: the file cannot be made there.
    """
    {"npy": npy, "geotiff": geotiff, "sicd": sicd}[like.format].write(Path(path), values, like)


def list_radar(paths: Iterable[str | Path]) -> list[Path]:
    """Files as given, and all files of folders with one of `RADAR_SUFFIXES`; see `list_files`."""
    return list_files(paths, RADAR_SUFFIXES, "radar image")
