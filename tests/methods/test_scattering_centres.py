import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sr_lab.data.sample import Sample
from sr_lab.degradation.bandcut import Bandcut
from sr_lab.degradation.speckle import complex_noise
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels, as_complex
from sr_lab.methods.scattering_centres import ScatteringCentres, _in_band, pursued
from sr_lab.methods.zero_pad import zero_padded
from sr_lab.metrics.band import consistency_db, in_band_error, out_of_band_error

WIDTH = 0.75


def points(*places: tuple[float, float, complex], side: int = 64) -> torch.Tensor:
    """Points (row, column, value) seen through a flat band."""
    k = _in_band(side, WIDTH).double()
    x = torch.arange(side, dtype=torch.float64)[:, None]

    def line(at: float) -> torch.Tensor:
        return torch.exp(2j * math.pi * k / side * (x - at)).mean(1)

    image = sum((value * line(row)[:, None] * line(column) for row, column, value in places), torch.zeros(()))
    return as_channels(image[None].to(torch.complex64))


def test_places_and_values_are_found() -> None:
    side, truth = 48, [(10.25, 30.5, 2 + 1j), (33.0, 12.125, -1.5j)]
    k = _in_band(side, WIDTH)
    spectrum = sum(
        value
        * torch.exp(-2j * math.pi * row * k[:, None].double() / side)
        * torch.exp(-2j * math.pi * column * k.double() / side)
        for row, column, value in truth
    )
    assert isinstance(spectrum, torch.Tensor)
    found = pursued(spectrum, k, k, (side, side), 10, 1e-6)
    np.testing.assert_allclose(found.place, [place[:2] for place in truth], atol=1e-9)
    np.testing.assert_allclose(found.value, [place[2] for place in truth], atol=1e-6)


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


def test_bad_options_are_refused() -> None:
    for options in ({"atoms": 0}, {"residual": 1.0}, {"occupied": [0.5]}, {"taper": [2, 1]}):
        with pytest.raises(UserError, match="method"):
            ScatteringCentres(**options)  # pyright: ignore[reportArgumentType]
