"""MATLAB files: version 5 through SciPy, version 7.3 (HDF5 with its axes reversed) through h5py."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sr_lab.io.atomic import atomic_write
from sr_lab.io.images import damage_reported
from sr_lab.scenes.hyperspectral.checks import as_dtype, checked
from sr_lab.scenes.hyperspectral.cube import Cube, Layout, Source
from sr_lab.scenes.hyperspectral.hdf5 import h5py_for, holds_numbers
from sr_lab.scenes.hyperspectral.layout import from_cube, layout_of, to_cube
from sr_lab.scenes.hyperspectral.variables import (
    choose,
    is_companion,
    left_out,
    resized,
    size_of,
    wavelengths_of,
)

_NUMERIC = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
_CLASS = {"float64": "double", "float32": "single"}
_USERBLOCK = 512  # bytes that MATLAB keeps before the HDF5 content, for its own header


def read(path: Path, key: str | None, layout: Layout | None, *, newer: bool) -> Cube:
    """Read a .mat file.

    Args:
        path: of the file.
        key: variable; None: the only cube of the file.
        layout: of that variable; None: told by what is beside it.
        newer: whether it is version 7.3.

    Raises:
        UserError: damaged, no cube or several, or values that a cube cannot hold.
    """
    with damage_reported(path):
        shapes = _shapes73(path) if newer else _shapes5(path)
    name = choose(shapes, key, path)
    beside = [other for other in shapes if other != name and is_companion(other)]
    with damage_reported(path):
        found = _load73(path, [name, *beside]) if newer else _load5(path, [name, *beside])
    array = found.pop(name)
    size = size_of(found)
    told = next(
        (wavelengths for n in set(array.shape) if (wavelengths := wavelengths_of(found, n)) is not None), None
    )
    arranged = layout_of(
        array.shape,
        path,
        told=layout,
        bands=None if told is None else len(told),
        size=size,
        spectra_in_columns=True,
    )
    stored = to_cube(array, arranged, size, path)
    values, bad = checked(stored, path, bad_bands=left_out(found, len(stored)))
    source = Source(
        path, "mat73" if newer else "mat5", array.dtype, arranged, name, extra={"companions": found}
    )
    return Cube(values, bad, source, wavelengths_of(found, len(values)))


def write(path: Path, values: np.ndarray, like: Cube) -> None:
    """Write (bands, rows, columns) as the variable, layout and type it came from, with what stood beside it."""
    source = like.source
    rows, columns = values.shape[1:]
    array = np.ascontiguousarray(from_cube(as_dtype(values, source.dtype), source.layout))
    assert source.key is not None
    held = {**resized(source.extra["companions"], rows, columns), source.key: array}
    if source.format == "mat73":
        content = _encoded73(held, path)
        with atomic_write(path) as file:
            file.write(content)
        return
    from scipy.io import savemat

    with atomic_write(path) as file:
        savemat(file, held, do_compression=True)


def _shapes5(path: Path) -> dict[str, tuple[int, ...]]:
    from scipy.io import whosmat

    with path.open("rb") as file:
        return {name: shape for name, shape, kind in whosmat(file) if kind in _NUMERIC}


def _load5(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    from scipy.io import loadmat

    with path.open("rb") as file:
        # MATLAB packs doubles that are whole numbers as small integers; its own type is asked for
        found = loadmat(file, variable_names=names, mat_dtype=True)
    return {name: found[name] for name in names}


def _shapes73(path: Path) -> dict[str, tuple[int, ...]]:
    h5py = h5py_for(path)
    with h5py.File(path, "r") as file:
        return {
            name: item.shape[::-1]
            for name, item in file.items()
            if isinstance(item, h5py.Dataset) and holds_numbers(item.dtype) and _is_full(item)
        }


def _is_full(item: object) -> bool:
    # MATLAB marks empty arrays, and stores texts as numbers of the class char
    attributes = getattr(item, "attrs", {})
    return "MATLAB_empty" not in attributes and attributes.get("MATLAB_class") not in (b"char", b"logical")


def _load73(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    h5py = h5py_for(path)
    with h5py.File(path, "r") as file:
        return {name: np.asarray(file[name][()]).T for name in names}


def _encoded73(held: dict[str, np.ndarray], path: Path) -> bytes:
    h5py = h5py_for(path)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=_USERBLOCK) as file:
        for name, value in held.items():
            item = file.create_dataset(
                name, data=np.atleast_2d(value).T, compression="gzip" if value.size > 1 else None
            )
            kind = _CLASS.get(value.dtype.name, value.dtype.name)
            item.attrs["MATLAB_class"] = np.bytes_(kind)
    text = b"MATLAB 7.3 MAT-file, HDF5 schema 1.00 ."
    header = text.ljust(116) + bytes(8) + b"\x00\x02IM"
    return header.ljust(_USERBLOCK, b"\0") + buffer.getvalue()[_USERBLOCK:]
