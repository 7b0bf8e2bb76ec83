"""What the numbers of a radar image are, and the way from one kind to another."""

from typing import Literal

import numpy as np
from jaxtyping import Float64, Num

from sr_lab.errors import UserError

Kind = Literal["slc", "amplitude", "intensity", "log"]

FLOOR = 1e-30  # intensity that stands for none: -300 dB


def to_intensity(values: Num[np.ndarray, "*shape"], kind: Kind) -> Float64[np.ndarray, "*shape"]:
    """Intensity of values of any kind.

    Args:
        values: complex for `slc`, amplitude A >= 0, intensity I = A^2, or for `log` 10 log10 I = 20 log10 A in dB.
        kind: what they are.

    Raises:
        UserError: complex values of another kind, or real ones called `slc`.
    """
    if np.iscomplexobj(values) != (kind == "slc"):
        held = "complex" if np.iscomplexobj(values) else "real"
        raise UserError(
            f"{held} values are not of kind '{kind}'",
            where="sar",
            fix="an slc is complex; amplitude, intensity and log are real",
        )
    if kind == "slc":
        return np.square(np.real(values), dtype=np.float64) + np.square(np.imag(values), dtype=np.float64)
    wide = np.asarray(values, np.float64)
    if kind == "log":
        return 10 ** (wide / 10)
    return wide**2 if kind == "amplitude" else wide


def from_intensity(values: Num[np.ndarray, "*shape"], kind: Kind) -> Float64[np.ndarray, "*shape"]:
    """Values of a detected kind from intensity; the inverse of `to_intensity`.

    Args:
        values: intensity; what is below `FLOOR` becomes -300 dB.
        kind: `amplitude`, `intensity` or `log`.

    Raises:
        UserError: `slc`: no phase is known.
    """
    wide = np.asarray(values, np.float64)
    if kind == "slc":
        raise UserError("intensity has no phase", where="sar", fix="use amplitude, intensity or log")
    if kind == "log":
        return 10 * np.log10(np.maximum(wide, FLOOR))
    return np.sqrt(wide) if kind == "amplitude" else wide
