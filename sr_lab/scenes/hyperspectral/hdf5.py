"""HDF5 files: one data set is the cube; wavelengths may be another, or an attribute."""

import importlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from sr_lab.errors import UserError
from sr_lab.io.atomic import atomic_write
from sr_lab.io.images import damage_reported
from sr_lab.scenes.hyperspectral.checks import as_dtype, checked
from sr_lab.scenes.hyperspectral.cube import Cube, Layout, Source
from sr_lab.scenes.hyperspectral.layout import from_cube, layout_of, to_cube
from sr_lab.scenes.hyperspectral.variables import choose, is_companion, wavelengths_of


def h5py_for(path: Path) -> Any:
    """The package h5py.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module("h5py")
    except ImportError as fault:
        raise UserError(
            "this file needs the package h5py", where=str(path), fix="pip install 'sr-lab[hyperspectral]'"
        ) from fault


def read(path: Path, key: str | None, layout: Layout | None) -> Cube:
    """Read an HDF5 file.

    Args:
        path: of the file.
        key: path of the data set inside the file; None: the only cube.
        layout: of that data set; None: the axis as long as the list of wavelengths is the bands', else the last one.

    Raises:
        UserError: damaged, no cube or several, or values that a cube cannot hold.
    """
    h5py = h5py_for(path)
    with damage_reported(path), h5py.File(path, "r") as file:
        held: dict[str, Any] = {}
        file.visititems(
            lambda name, item: held.update({name: item}) if isinstance(item, h5py.Dataset) else None
        )
        shapes = {name: item.shape for name, item in held.items() if holds_numbers(item.dtype)}
        name = choose(shapes, key, path)
        item = held[name]
        attributes = {str(key): value for key, value in item.attrs.items() if _is_plain(value)}
        beside = {
            other: np.asarray(held[other][()]) for other in shapes if other != name and is_companion(other)
        }
        array = np.asarray(item[()])
        packed = item.compression
    told = {key: np.asarray(value) for key, value in attributes.items() if is_companion(key)}
    facts = {**told, **beside}
    known = next((found for n in set(array.shape) if (found := wavelengths_of(facts, n)) is not None), None)
    arranged = layout_of(array.shape, path, told=layout, bands=None if known is None else len(known))
    values, bad = checked(to_cube(array, arranged, None, path), path)
    source = Source(
        path,
        "hdf5",
        array.dtype,
        arranged,
        name,
        extra={"companions": beside, "attributes": attributes, "compression": packed},
    )
    units = attributes.get("units")
    return Cube(
        values,
        bad,
        source,
        wavelengths_of(facts, len(values)),
        units=units.decode() if isinstance(units, bytes) else units if isinstance(units, str) else None,
    )


def write(path: Path, values: np.ndarray, like: Cube) -> None:
    """Write (bands, rows, columns) as the data set, layout and type it came from, with wavelengths and attributes."""
    h5py = h5py_for(path)
    source = like.source
    array = np.ascontiguousarray(from_cube(as_dtype(values, source.dtype), source.layout))
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        item = file.create_dataset(source.key, data=array, compression=source.extra["compression"])
        item.attrs.update(source.extra["attributes"])
        for name, value in source.extra["companions"].items():
            file.create_dataset(name, data=value)
    with atomic_write(path) as out:
        out.write(buffer.getbuffer())


def holds_numbers(dtype: np.dtype) -> bool:
    """Whether values are numbers; complex ones, to be refused by name, are pairs in the files of some programs."""
    return dtype.kind in "iufc" or dtype.names == ("real", "imag")


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | bytes) or (np.asarray(value).dtype.kind in "biufSU")
