""".npy: one array and nothing beside it."""

from pathlib import Path

import numpy as np

from sr_lab.io.atomic import atomic_write
from sr_lab.io.images import damage_reported
from sr_lab.scenes.sar.image import RadarImage, checked, one_band
from sr_lab.scenes.sar.kind import Kind


def read(path: Path, kind: Kind | None, band: int | None) -> RadarImage:
    """Read (rows, columns) or (bands, rows, columns), complex or real; a pickle is refused.

    Raises:
        UserError: damaged, a pickle, or see `one_band` and `checked`.
    """
    with damage_reported(path):
        array = np.load(path, allow_pickle=False)
    values, found = checked(one_band(array, band, path), kind, path)
    return RadarImage(values, found, path, "npy", array.dtype.str, kind is not None)


def write(path: Path, values: np.ndarray, like: RadarImage) -> None:
    """Write (rows, columns) in the type it came from."""
    with atomic_write(path) as file:
        np.save(file, as_stored(values, np.dtype(like.stored)))


def as_stored(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values in a file's own type: integers rounded and clipped."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(dtype)
