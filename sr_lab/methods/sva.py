"""Spatially variant apodisation: every pixel under the weights that leave least of it, so sidelobes go."""

import time

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.band import Pair, chip_band, in_band, moved
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels, as_complex
from sr_lab.methods.base import Method
from sr_lab.methods.zero_pad import zero_padded


class SVA(Method):
    """Zeros around the spectrum, then spatially variant apodisation along range and along azimuth.

    The main lobe keeps the width of a flat band, and sidelobes fall as under strong weights; nothing is extrapolated.

    Args:
        occupied: width of LR's band in azimuth and range, cycles per pixel; None: measured on each LR image.
    """

    def __init__(self, occupied: list[float | int] | None = None) -> None:
        super().__init__()
        if occupied is not None and (len(occupied) != 2 or not all(0 < one <= 1 for one in occupied)):
            raise UserError(
                f"{occupied} is no band", where="method.occupied", fix="give [azimuth, range], each in (0, 1]"
            )
        self.occupied = occupied

    def restore(self, sample: Sample) -> Restored:
        """Interpolate and apodise.

        Raises:
            UserError: LR is detected.
        """
        started = time.perf_counter()
        fine = as_complex(zero_padded(sample.lr, sample.scale))
        restored = []
        for coarse, image in zip(as_complex(sample.lr), fine, strict=True):
            width = self.occupied or chip_band(coarse).width
            # of the samples that a small chip's band has: its first nulls lie by their number
            azimuth, range_ = (
                len(in_band(n, one)) / (n * sample.scale) for n, one in zip(coarse.shape, width, strict=True)
            )
            restored.append(apodised(image, (azimuth, range_)))
        return Restored(as_channels(torch.stack(restored)), seconds=time.perf_counter() - started)


def apodised(image: Complex[Tensor, "h w"], width: Pair) -> Complex[Tensor, "h w"]:
    """Spatially variant apodisation of both axes, of the real and the imaginary part each by itself.

    The weights 1 + 2 w cos(2 pi f / B) over a band B add w times the pixels at distance 1/B to either side; w in [0,
    1/2] is chosen for every pixel such that least is left. Distances that are no whole pixels are had by the spectrum.

    Args:
        image: its band about zero and flat.
        width: of the band in azimuth and range, cycles per pixel.

    Source: Stankwitz, Dallaire and Fienup 1995, IEEE Trans. AES 31(1), eq. 10-15.
    """
    for axis, one in zip((-1, -2), reversed(width), strict=True):
        both = moved(image, 1 / one, axis) + moved(image, -1 / one, axis)
        image = torch.complex(_least(image.real, both.real), _least(image.imag, both.imag))
    return image


def _least(pixel: Float[Tensor, "h w"], neighbours: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """The pixel plus w times its neighbours' sum, nearest to zero for w in [0, 1/2]."""
    most = pixel + neighbours / 2
    crosses = pixel * most <= 0
    return torch.where(crosses, 0.0, torch.where(most.abs() < pixel.abs(), most, pixel))
