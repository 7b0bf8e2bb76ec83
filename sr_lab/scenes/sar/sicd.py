"""SICD in NITF through sarkit: complex images of any sensor, with their metadata."""

import copy
import importlib
from pathlib import Path
from typing import Any

import numpy as np

from sr_lab.errors import UserError
from sr_lab.io.atomic import atomic_write
from sr_lab.io.images import damage_reported
from sr_lab.scenes.sar.image import RadarImage, checked
from sr_lab.scenes.sar.kind import Kind

_FLOATS = "RE32F_IM32F"


def read(path: Path, kind: Kind | None) -> RadarImage:
    """Read an SLC; SICD counts rows along range, so the image is turned.

    Raises:
        UserError: sarkit is not installed, the file is damaged or no SICD, its pixels are amplitude and phase codes, or
            see `checked`.
    """
    sicd = _sarkit(path)
    with damage_reported(path), path.open("rb") as file, sicd.NitfReader(file) as reader:
        stored, metadata = reader.read_image(), reader.metadata
    name = metadata.xmltree.findtext("{*}ImageData/{*}PixelType")
    if name == "AMP8I_PHS8I":
        raise UserError(
            "pixels of 8-bit amplitude and phase are not supported",
            where=str(path),
            fix=f"convert it to {_FLOATS}",
        )
    if stored.dtype.names:
        real, imaginary = (stored[part].astype(np.float32) for part in stored.dtype.names)
        stored = real + 1j * imaginary
    values, found = checked(stored.astype(np.complex64).T, kind, path)
    down, right = (metadata.xmltree.findtext(f"{{*}}Grid/{{*}}{axis}/{{*}}SS") for axis in ("Row", "Col"))
    spacing = None if down is None or right is None else (float(right), float(down))
    return RadarImage(values, found, path, "sicd", name, kind is not None, {"metadata": metadata}, spacing)


def write(path: Path, values: np.ndarray, like: RadarImage) -> None:
    """Write as floats, with the metadata brought to the finer grid: numbers of pixels, spacing, scene centre."""
    sicd = _sarkit(path)
    metadata = copy.deepcopy(like.extra["metadata"])
    turned = values.T
    down, right = turned.shape[0] / like.values.shape[1], turned.shape[1] / like.values.shape[0]
    _refine(metadata.xmltree, down, right)
    with atomic_write(path) as file, sicd.NitfWriter(file, metadata) as writer:
        writer.write_image(np.ascontiguousarray(turned.astype(np.complex64).astype(">c8")))


def _refine(tree: Any, down: float, right: float) -> None:
    """Everything in SICD that counts pixels."""

    def change(place: str, new: Any) -> None:
        for element in tree.iterfind(place):
            element.text = new(element.text)

    image = "{*}ImageData/"
    for factor, number, first, part, axis in (
        (down, "NumRows", "FirstRow", "Row", "Row"),
        (right, "NumCols", "FirstCol", "Col", "Col"),
    ):
        for place in (
            f"{image}{{*}}{number}",
            f"{image}{{*}}FullImage/{{*}}{number}",
            f"{image}{{*}}{first}",
        ):
            change(place, lambda text, by=factor: str(round(int(text) * by)))
        # a pixel's place is its centre: (p + 1/2) s - 1/2
        for place in (f"{image}{{*}}SCPPixel/{{*}}{part}", f"{image}{{*}}ValidData/{{*}}Vertex/{{*}}{part}"):
            change(place, lambda text, by=factor: str(int((int(text) + 0.5) * by - 0.5)))
        change(f"{{*}}Grid/{{*}}{axis}/{{*}}SS", lambda text, by=factor: repr(float(text) / by))
    change(f"{image}{{*}}PixelType", lambda text: _FLOATS)


def _sarkit(path: Path) -> Any:
    try:
        return importlib.import_module("sarkit.sicd")
    except ImportError as fault:
        raise UserError(
            "SICD needs the package sarkit", where=str(path), fix="pip install 'sr-lab[sar]'"
        ) from fault
