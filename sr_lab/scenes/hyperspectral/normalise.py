"""One scale for all bands: values divided by a robust maximum, so that spectra keep their shape."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64

PERCENTILE = 99.9


@dataclass(frozen=True)
class Normalisation:
    """Division by one number, and its inverse; nothing is clipped or shifted, so spectral angles stay as they are.

    Args:
        unit: the value, in file units, that 1.0 stands for; positive.
    """

    unit: float | int

    @classmethod
    def of(cls, cubes: Iterable[Float[np.ndarray, "..."]], percentile: float = PERCENTILE) -> "Normalisation":
        """From a percentile of all values together; where that is not positive, from the greatest magnitude.

        Args:
            cubes: usable bands of an LR cube, or of all training cubes.
            percentile: of the values.
        """
        values = np.concatenate([np.ravel(cube) for cube in cubes])
        unit = float(np.percentile(values, percentile))
        if unit <= 0:
            unit = float(np.abs(values).max())
        return cls(unit or 1.0)

    def forward(self, values: Float[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
        """File units to the normalised range, about [0, 1]."""
        return (np.asarray(values, np.float64) / self.unit).astype(np.float32)

    def inverse(self, values: Float[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
        """The normalised range to file units: integers of up to 22 bits come back exactly once rounded."""
        return np.asarray(values, np.float64) * self.unit
