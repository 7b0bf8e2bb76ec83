""".npy: one array and nothing beside it."""

from pathlib import Path

import numpy as np

from sr_lab.io.atomic import atomic_write
from sr_lab.io.images import damage_reported
from sr_lab.scenes.hyperspectral.checks import as_dtype, checked
from sr_lab.scenes.hyperspectral.cube import Cube, Layout, Source
from sr_lab.scenes.hyperspectral.layout import from_cube, layout_of, to_cube


def read(path: Path, layout: Layout | None) -> Cube:
    """Read an array of (rows, columns, bands), unless `layout` says otherwise; a pickle is refused.

    Raises:
        UserError: damaged, a pickle, or values that a cube cannot hold.
    """
    with damage_reported(path):
        array = np.load(path, allow_pickle=False)
    arranged = layout_of(array.shape, path, told=layout)
    values, bad = checked(to_cube(array, arranged, None, path), path)
    return Cube(values, bad, Source(path, "npy", array.dtype, arranged))


def write(path: Path, values: np.ndarray, like: Cube) -> None:
    """Write (bands, rows, columns) in the layout and type it came from."""
    source = like.source
    with atomic_write(path) as file:
        np.save(file, np.ascontiguousarray(from_cube(as_dtype(values, source.dtype), source.layout)))
