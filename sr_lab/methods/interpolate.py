"""Bicubic interpolation: the baseline of every table."""

import time

from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.factors import enlarged_sides
from sr_lab.degradation.resample import imresize
from sr_lab.methods.base import Method


class Interpolate(Method):
    """MATLAB bicubic upsampling.

    Args:
        aligned: move the result onto the HR grid of the degradation; without it, data at the `fkp` anchor
            lose about 3 dB to an offset of s-1 px, as in published tables.
    """

    per_axis = True

    def __init__(self, aligned: bool = True) -> None:
        super().__init__()
        self.aligned = aligned

    def restore(self, sample: Sample) -> Restored:
        """Interpolate."""
        started = time.perf_counter()
        lr = sample.lr
        sr = (
            self.degradation.bicubic(lr)
            if self.aligned
            else imresize(lr, enlarged_sides(lr, self.degradation.factors))
        )
        return Restored(sr, seconds=time.perf_counter() - started)
