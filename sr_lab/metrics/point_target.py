"""How sharp a point target is: width, highest sidelobe and sidelobe energy of its response, axis by axis."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sr_lab.degradation.band import occupied_band, shifted_band
from sr_lab.errors import UserError

OVERSAMPLING = 32
REACH = 10.0  # -3 dB widths to either side that sidelobes are looked for in
SIDE = 64  # pixels cut out around the target


class Response(NamedTuple):
    """The impulse response along one axis.

    Args:
        width: between the points of half power (IRW), pixels of the image.
        pslr: highest sidelobe over the peak, dB.
        islr: energy of the sidelobes over that of the main lobe, dB.
    """

    width: float
    pslr: float
    islr: float


def brightest(image: Complex[Tensor, "h w"]) -> tuple[int, int]:
    """Row and column of the strongest pixel."""
    return divmod(int(image.abs().argmax()), image.shape[1])


def point_response(
    image: Complex[Tensor, "h w"], place: tuple[int, int] | None = None
) -> tuple[Response, Response]:
    """Responses of a point target in azimuth (down the rows) and in range (along the columns).

    The lines through the target are interpolated 32 times by zeros around their centred spectrum. The main lobe ends
    at the first minimum to either side; sidelobes count to 10 widths from the peak.

    Args:
        image: one SLC.
        place: row and column of the target; None: of the strongest pixel.

    Raises:
        UserError: the response does not fall to half power inside the cut, or has no sidelobe there.
    """
    row, column = place or brightest(image)
    top, left = max(0, row - SIDE // 2), max(0, column - SIDE // 2)
    chip = image[top : top + SIDE, left : left + SIDE].to(torch.complex128)
    chip = shifted_band(chip, (-(centre := occupied_band(chip).centre)[0], -centre[1]))
    return _along(chip[:, column - left], row - top), _along(chip[row - top], column - left)


def _along(line: Complex[Tensor, " n"], peak: int) -> Response:
    k = torch.fft.fftfreq(len(line), 1 / len(line)).round().long()
    wide = line.new_zeros(OVERSAMPLING * len(line))
    wide[k] = torch.fft.fft(line)
    if len(line) % 2 == 0:  # the highest frequency stands for both its signs
        wide[k.min()] /= 2
        wide[-k.min()] = wide[k.min()]
    power = torch.fft.ifft(wide).abs().square()
    near = slice(max(0, (peak - 2) * OVERSAMPLING), (peak + 2) * OVERSAMPLING + 1)
    top = near.start + int(power[near].argmax())
    # what is beyond the ends of the cut is not seen: no wrap
    left, right = power[: top + 1].flip(0) / power[top], power[top:] / power[top]
    width = (_half(left) + _half(right)) / OVERSAMPLING
    reach = math.ceil(REACH * width * OVERSAMPLING)
    nulls = [_null(side) for side in (left, right)]
    sides = torch.cat([side[null : reach + 1] for side, null in zip((left, right), nulls, strict=True)])
    main = left[1 : nulls[0]].sum() + right[: nulls[1]].sum()
    return Response(width, 10 * math.log10(float(sides.max())), 10 * math.log10(float(sides.sum() / main)))


def _half(side: Float[Tensor, " n"]) -> float:
    """Where a side of the response falls to half power, in steps from the peak."""
    below = torch.nonzero(side < 0.5)
    if not len(below):
        raise UserError(
            "no point target: its response does not fall to half power", where="metrics", fix="name its place"
        )
    last = int(below[0]) - 1
    return last + float((side[last] - 0.5) / (side[last] - side[last + 1]))


def _null(side: Float[Tensor, " n"]) -> int:
    """The first minimum of a side, in steps from the peak."""
    rising = torch.nonzero(side[1:] > side[:-1])
    if not len(rising):
        raise UserError(
            "no point target: its response has no sidelobe", where="metrics", fix="give a larger image"
        )
    return int(rising[0])
