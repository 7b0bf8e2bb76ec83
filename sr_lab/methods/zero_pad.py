"""Zeros around the spectrum: what the phase gives for free, and the baseline of every radar table."""

import time

from jaxtyping import Float
from torch import Tensor

from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.band import pad_band
from sr_lab.degradation.factors import Factors, enlarged_sides
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels, as_complex, multilooked
from sr_lab.methods.base import Method


class ZeroPad(Method):
    """Sinc interpolation of complex images; nothing is added outside LR's band. It knows `block_center` only.

    Args:
        looks: odd side of a square whose mean intensity every pixel then gets, which costs the phase; None: none.
    """

    per_axis = True

    def __init__(self, looks: int | None = None) -> None:
        super().__init__()
        if looks is not None and (looks < 1 or looks % 2 == 0):
            raise UserError(f"{looks} is no odd side", where="method.looks", fix="use 3, 5, ..., or null")
        self.looks = looks

    def restore(self, sample: Sample) -> Restored:
        """Interpolate.

        Raises:
            UserError: LR is detected.
        """
        started = time.perf_counter()
        sr = zero_padded(sample.lr, self.degradation.factors)
        if self.looks is not None:
            sr = multilooked(sr, self.looks)
        return Restored(sr, seconds=time.perf_counter() - started)


def zero_padded(lr: Float[Tensor, "b c h w"], factors: int | Factors) -> Float[Tensor, "b 2 hs ws"]:
    """Complex images on a finer grid, outer edges aligned; they wrap around.

    Args:
        lr: two channels, the band about zero.
        factors: of both axes, or of rows and columns.

    Raises:
        UserError: the images are detected.
    """
    return as_channels(pad_band(as_complex(lr), enlarged_sides(lr, factors)))
