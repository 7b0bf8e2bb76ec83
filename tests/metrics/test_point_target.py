"""Impulse responses against theory, and against corner reflectors."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sr_lab.degradation.band import hamming, shifted_band
from sr_lab.errors import UserError
from sr_lab.metrics.point_target import point_response


def target(width: float, alpha: float, at: float = 32.3) -> torch.Tensor:
    """A point seen through a band of so many cycles per pixel, the same in both axes."""
    frequency = ((torch.arange(4096, dtype=torch.float64) + 0.5) / 4096 - 0.5) * width
    place = torch.arange(64, dtype=torch.float64)[:, None] - at
    weights = hamming(frequency / width, alpha)
    line = (torch.exp(2j * math.pi * frequency * place) * weights).mean(1)
    return line[:, None] * line


@pytest.mark.parametrize(
    ("alpha", "pslr", "islr", "broader"),
    [(1.0, -13.26, -10.2, 1.0), (0.75, -21.2, -16.7, 1.13), (0.54, -42.7, -36.1, 1.47)],
)
def test_responses_of_weighted_bands(alpha: float, pslr: float, islr: float, broader: float) -> None:
    for response in point_response(target(0.7, alpha)):
        assert response.pslr == pytest.approx(pslr, abs=0.1)
        assert response.islr == pytest.approx(islr, abs=0.15)
        assert response.width == pytest.approx(broader * 0.886 / 0.7, rel=0.01)


def test_a_band_off_centre_is_centred_first() -> None:
    first = point_response(target(0.7, 1.0))
    moved = point_response(shifted_band(target(0.7, 1.0), (0.4, -0.2)))
    np.testing.assert_allclose(moved, first, rtol=0.02)


def test_what_is_no_target_is_refused() -> None:
    with pytest.raises(UserError, match="no point target"):
        point_response(torch.ones(32, 32, dtype=torch.complex64))


def test_a_fourth_of_the_bandwidth_is_four_times_as_wide(data: Path) -> None:
    """One simulated scene at 20 and at 5 MHz; the pixels of the second are four times as far apart."""
    folder = data / "sar/calibration"
    widths = [
        point_response(torch.from_numpy(np.load(folder / f"calib_slc_pass1_{name}_HH.npy")))[1].width
        for name in ("20mhz", "5mhz")
    ]
    assert 4 * widths[1] / widths[0] == pytest.approx(4.0, abs=0.1)


def test_corner_reflector_of_palsar(data: Path) -> None:
    for channel in ("HH", "VV"):
        image = np.load(data / f"sar/calibration/rio_branco_{channel}.npy")
        azimuth, range_ = point_response(torch.from_numpy(image))
        assert range_.width == pytest.approx(1.075, abs=0.03)
        assert azimuth.width == pytest.approx(1.30, abs=0.04)
