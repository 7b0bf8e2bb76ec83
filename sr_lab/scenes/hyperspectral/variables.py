"""Which array of a file with many is the cube, and what the others say: wavelengths, size, selected bands."""

import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Bool, Float64

from sr_lab.errors import UserError

_WAVELENGTHS = ("wavelengths", "wavelength", "wavlen", "wave_length", "wl", "lambda")
_ROWS, _COLUMNS = ("nrow", "lines"), ("ncol", "cols")
_SELECTED = ("slectbands", "selectbands", "selectedbands")
_COMPANIONS = (*_WAVELENGTHS, *_ROWS, *_COLUMNS, *_SELECTED)
_OUTWEIGHS = 4  # a cube is so many times larger than the abundances, maps and spectra beside it
_LONGEST_UM = 100.0  # a greater number is in nm: no cube has a band beyond 100 um or below 100 nm


def is_companion(name: str) -> bool:
    """Whether a variable tells of the cube, by its name."""
    return _base(name) in _COMPANIONS


def choose(shapes: Mapping[str, tuple[int, ...]], key: str | None, path: Path) -> str:
    """The variable that holds the cube: the named one, else the one much larger than all others.

    Args:
        shapes: of the numeric arrays of the file.
        key: name given by the user.
        path: for messages.

    Raises:
        UserError: no such variable, none that may be a cube, or several.
    """
    held = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no numeric array"
    if key is not None:
        if key not in shapes:
            raise UserError(
                f"there is no array '{key}'; the file holds {held}",
                where=str(path),
                fix="set key to one of them",
            )
        return key
    data = {name: shape for name, shape in shapes.items() if not is_companion(name) and 0 not in shape}
    sizes = {name: math.prod(shape) for name, shape in data.items() if len(shape) == 3 or _is_matrix(shape)}
    largest = sorted(sizes, key=lambda name: sizes[name])[-2:]
    if not largest or (len(largest) == 2 and sizes[largest[1]] < _OUTWEIGHS * sizes[largest[0]]):
        what = f"{' and '.join(largest)} may both be the cube" if largest else "no array is a cube"
        raise UserError(
            f"{what}; the file holds {held}",
            where=str(path),
            fix="name the cube's array: --set scene.files.key=NAME of upscale, dataset.images.key=NAME of a run",
        )
    return largest[-1]


def wavelengths_of(
    companions: Mapping[str, np.ndarray], bands: int, unit: str = ""
) -> Float64[np.ndarray, " bands"] | None:
    """Centre wavelengths in nm of `bands` bands, or None where the file has none that fit.

    A list for all bands of the sensor is thinned out to those that the file says it kept.
    """
    for name, values in companions.items():
        if _base(name) in _WAVELENGTHS:
            nm = in_nanometres(values, unit)
            kept = selection(companions)
            if len(nm) != bands and kept is not None and len(kept) == bands and kept.max() <= len(nm):
                nm = nm[kept - 1]
            return nm if len(nm) == bands else None
    return None


def in_nanometres(values: np.ndarray, unit: str = "") -> Float64[np.ndarray, " n"]:
    """Wavelengths in nm; without a unit, numbers below 100 are micrometres."""
    nm = np.asarray(values, dtype=np.float64).ravel()
    micro = unit.lower() in (
        "um",
        "µm",
        "μm",
        "micrometers",
        "micrometres",
        "micrometer",
        "microns",
        "micron",
    )
    unknown = unit.lower() in ("", "unknown")
    if nm.size and np.isfinite(nm).all() and (micro or (unknown and nm.max() < _LONGEST_UM)):
        return nm * 1000
    return nm


def size_of(companions: Mapping[str, np.ndarray]) -> tuple[int, int] | None:
    """Rows and columns from `nRow` and `nCol`, or `lines` and `cols`."""
    rows, columns = (
        next((value for name, value in companions.items() if _base(name) in names and value.size == 1), None)
        for names in (_ROWS, _COLUMNS)
    )
    return None if rows is None or columns is None else (int(rows.item()), int(columns.item()))


def selection(companions: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Numbers, from 1, of the bands that were kept, from `SlectBands` and the like."""
    for name, values in companions.items():
        if _base(name) in _SELECTED and np.size(values):
            kept = np.asarray(values).ravel().astype(np.int64)
            return kept if kept.min() >= 1 else None
    return None


def left_out(companions: Mapping[str, np.ndarray], bands: int) -> Bool[np.ndarray, " bands"]:
    """Bands that are in the cube but not among those selected; none if the cube holds the selection alone."""
    kept = selection(companions)
    bad = np.zeros(bands, dtype=bool)
    if kept is not None and len(kept) < bands and kept.max() <= bands:
        bad[:] = True
        bad[kept - 1] = False
    return bad


def resized(companions: Mapping[str, np.ndarray], rows: int, columns: int) -> dict[str, np.ndarray]:
    """The companions of a result of another size."""
    new = {**dict.fromkeys(_ROWS, rows), **dict.fromkeys(_COLUMNS, columns)}
    return {
        name: np.full(value.shape, float(new[_base(name)])) if _base(name) in new else value
        for name, value in companions.items()
    }


def _is_matrix(shape: tuple[int, ...]) -> bool:
    # MATLAB's scalars and lists are matrices too
    return len(shape) == 2 and min(shape) > 1


def _base(name: str) -> str:
    return PurePosixPath(name).name.lower()
