import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sr_lab.data.sample import Sample
from sr_lab.degradation.band import hamming, in_band, shifted_band
from sr_lab.degradation.bandcut import Bandcut
from sr_lab.degradation.speckle import complex_noise
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels, as_complex
from sr_lab.methods.autofocus import AzimuthPhase, without_phase
from sr_lab.methods.scattering_centres import ScatteringCentres
from sr_lab.methods.zero_pad import zero_padded
from sr_lab.metrics.band import consistency_db, in_band_error, out_of_band_error
from sr_lab.metrics.point_target import point_response

WIDTH = 0.75


def points(*places: tuple[float, float, complex], side: int = 64) -> torch.Tensor:
    """Points (row, column, value) seen through a flat band."""
    k = in_band(side, WIDTH).double()
    x = torch.arange(side, dtype=torch.float64)[:, None]

    def line(at: float) -> torch.Tensor:
        return torch.exp(2j * math.pi * k / side * (x - at)).mean(1)

    image = sum((value * line(row)[:, None] * line(column) for row, column, value in places), torch.zeros(()))
    return as_channels(image[None].to(torch.complex64))


@pytest.mark.parametrize("scale", [2, 3])
def test_isolated_points_are_restored_outside_the_band(scale: int) -> None:
    hr = points((20.5, 21.0, 1), (40.25, 33.5, 0.7j), side=36 * scale)
    cut = Bandcut(scale, occupied=[WIDTH, WIDTH])
    lr = cut(hr, None)
    noisy = as_channels(complex_noise(as_complex(lr), 25, torch.Generator().manual_seed(0))[0])
    for image, inside, outside in ((lr, 0.02, 0.25), (noisy, 0.2, 0.5)):
        sample = Sample(image, scale, ["a"])
        sr = ScatteringCentres(atoms=4, occupied=[WIDTH, WIDTH]).restore(sample).sr
        assert sr.shape == hr.shape
        assert in_band_error(sr, hr, cut.inside).item() < inside
        assert out_of_band_error(sr, hr, cut.inside).item() < outside
        padded = zero_padded(image, scale)
        assert out_of_band_error(padded, hr, cut.inside).item() == pytest.approx(1, abs=0.02)
        assert consistency_db(cut(sr, None), image).item() > (40 if image is lr else 20)


def test_two_points_are_told_apart() -> None:
    """Where zero-padding shows hardly a dip: 1.3 widths of LR's response from each other, a quarter turn in phase."""
    hr = points((36, 30, 1), (36, 33, 1j), side=72)
    lr = Bandcut(2, occupied=[WIDTH, WIDTH])(hr, None)
    dips = []
    centres = ScatteringCentres(atoms=2, occupied=[WIDTH, WIDTH]).restore(Sample(lr, 2, ["a"])).sr
    for sr in (zero_padded(lr, 2), centres):
        power = as_complex(sr)[0, 36].abs().square()
        dips.append(10 * math.log10(power[[30, 33]].min() / power[31:33].min()))
    assert dips[0] < 3 < dips[1]


def test_a_corner_reflector_is_restored(data: Path) -> None:
    image = np.load(data / "sar/calibration/rio_branco_HH.npy")
    hr = as_channels(torch.from_numpy(image[18:82, :48])[None] / 500)
    cut = Bandcut(2, occupied=[0.79, 0.85])
    sr = ScatteringCentres(atoms=2, occupied=[0.79, 0.85]).restore(Sample(cut(hr, None), 2, ["a"])).sr
    assert in_band_error(sr, hr, cut.inside).item() < 0.05
    assert out_of_band_error(sr, hr, cut.inside).item() < 0.85, "part of what was cut away comes back"


def test_a_band_off_zero_is_restored_as_one_about_zero() -> None:
    hr, cut = points((40.5, 41, 1), (70.3, 53.8, 0.7j), side=96), Bandcut(2, occupied=[WIDTH, WIDTH])
    lr, by = as_complex(cut(hr, None)), (9 / 48, -7 / 48)
    samples = (Sample(as_channels(image), 2, ["a"]) for image in (lr, shifted_band(lr, by)))
    about_zero, off = (ScatteringCentres(atoms=4).restore(sample).sr for sample in samples)
    assert out_of_band_error(about_zero, hr, cut.inside).item() < 0.35
    back = shifted_band(as_complex(off), (-by[0], -by[1]), 0.5)
    torch.testing.assert_close(back, as_complex(about_zero), atol=1e-4, rtol=1e-3)


def test_a_target_that_moved_is_refocused() -> None:
    hr = points((36.5, 33, 1), side=72)
    lr = as_complex(Bandcut(2, occupied=[WIDTH, WIDTH])(hr, None))[0].to(torch.complex128)
    moved = without_phase(lr, AzimuthPhase(-6.0, 2.5), WIDTH)
    responses = []
    for image, motion in ((lr, "stationary"), (moved, "stationary"), (moved, "moderate")):
        method = ScatteringCentres(3, occupied=[WIDTH, WIDTH], motion=motion)
        sample = Sample(as_channels(image[None].to(torch.complex64)), 2, ["a"])
        responses.append(point_response(as_complex(method.restore(sample).sr)[0])[0])
    want, still, moderate = responses
    assert moderate == pytest.approx(want, rel=0.03)
    assert still.pslr > -6 > want.pslr


def _tapered(side: int, at: tuple[float, float], alpha: float) -> torch.Tensor:
    """A point through a tapered band."""
    k = in_band(side, WIDTH)
    weights = hamming(k / (side * WIDTH), alpha)
    place = torch.arange(side, dtype=torch.float64)[:, None]
    lines = [(torch.exp(2j * math.pi * k / side * (place - one)) * weights).mean(1) for one in at]
    return (lines[0][:, None] * lines[1])[None]


def test_a_measured_response_says_how_the_band_goes_on(tmp_path: Path) -> None:
    """The taper of the reflector's band goes on outside it as HR's does; a flat response is too bright there."""
    cut = Bandcut(2, occupied=[WIDTH, WIDTH])
    hr = as_channels(_tapered(96, (40.5, 50.0), 0.8).to(torch.complex64))
    reflector = cut(as_channels(_tapered(128, (61.3, 66.9), 0.8).to(torch.complex64)), None)
    np.save(tmp_path / "reflector.npy", as_complex(reflector)[0].numpy())
    sample = Sample(cut(hr, None), 2, ["a"])
    errors = [
        out_of_band_error(
            ScatteringCentres(1, occupied=[WIDTH, WIDTH], irf=irf).restore(sample).sr, hr, cut.inside
        ).item()
        for irf in ("flat", str(tmp_path / "reflector.npy"))
    ]
    assert errors[1] < 0.75 * errors[0]


def test_bad_options_are_refused() -> None:
    for options in (
        {"atoms": 0},
        {"residual": 1.0},
        {"occupied": [0.5]},
        {"taper": [2, 1]},
        {"motion": "complex"},
        {"irf": "x.npy", "taper": [0.8, 0.9]},
    ):
        with pytest.raises(UserError, match="method"):
            ScatteringCentres(**options)  # pyright: ignore[reportArgumentType]
