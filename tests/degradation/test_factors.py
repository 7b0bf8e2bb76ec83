"""Factors of rows and columns that differ: what is cut, on which grid, and back."""

import pytest
import torch

from sr_lab.degradation.band import cut_band, occupied_band
from sr_lab.degradation.bandcut import Bandcut, Sublook
from sr_lab.degradation.chain import Degradation, modcrop
from sr_lab.degradation.detected import BicubicAmplitude, Multilook
from sr_lab.degradation.factors import named, per_axis
from sr_lab.degradation.resample import imresize
from sr_lab.degradation.speckle import circular_gaussian
from sr_lab.errors import UserError
from sr_lab.io.complex import amplitude, as_channels, as_complex, intensity
from sr_lab.methods.zero_pad import zero_padded

SIDE = 240


def clutter(width: tuple[float, float]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    white = circular_gaussian(torch.empty(1, SIDE, SIDE, dtype=torch.complex64), generator)
    seen = cut_band(white, (SIDE, SIDE), width)
    return as_channels(seen / seen.abs().square().mean().sqrt())


def test_a_cut_of_azimuth_alone_leaves_the_band_of_range() -> None:
    hr = clutter((0.72, 0.6))
    lr = Bandcut(4, occupied=[0.72, 0.6], grid=[4, 1])(hr, None)
    assert lr.shape == (1, 2, SIDE // 4, SIDE)
    azimuth, range_ = occupied_band(as_complex(lr)[0]).width
    assert azimuth == pytest.approx(0.72, abs=0.04), "of the coarser grid"
    assert range_ == pytest.approx(0.6, abs=0.02)
    assert 10 * torch.log10(intensity(lr).mean() / intensity(hr).mean()).abs().item() < 0.25
    line = as_complex(hr).mean(1)  # what a cut of azimuth cannot touch
    torch.testing.assert_close(as_complex(lr).mean(1) / 2, line, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("grid", [[4, 2], [1, 3], [2, 2]])
def test_padding_undoes_the_cut_within_its_band(grid: list[int]) -> None:
    degradation = Bandcut(max(grid), occupied=[0.9, 0.9], grid=grid)
    hr = degradation.inside(clutter((0.9, 0.9)))
    lr = degradation(hr, None)
    assert lr.shape[-2:] == (SIDE // grid[0], SIDE // grid[1])
    torch.testing.assert_close(zero_padded(lr, degradation.factors) / degradation.gain, hr, atol=1e-5, rtol=0)


def test_losses_of_resolution_follow_the_grid_or_are_their_own() -> None:
    assert Bandcut(4, grid=[4, 2]).kept == (1 / 4, 1 / 2)
    assert Bandcut(4, azimuth=5, grid=[4, 2]).kept == (1 / 5, 1 / 2)
    assert Bandcut(4).kept == (1 / 4, 1 / 4)


def test_intensity_and_amplitude_by_two_factors() -> None:
    hr = clutter((0.9, 0.9))
    power = intensity(hr)
    blocks = power.reshape(1, 1, SIDE // 4, 4, SIDE // 2, 2).mean((3, 5))
    torch.testing.assert_close(Multilook(4, [4, 2])(hr, None), blocks.sqrt())
    want = imresize(amplitude(hr), (SIDE // 4, SIDE // 2)).clamp_min(0)
    torch.testing.assert_close(BicubicAmplitude(4, [4, 2])(hr, None), want)


@pytest.mark.parametrize(
    "degradation", [Bandcut(4, grid=[4, 2]), Multilook(4, [4, 2]), BicubicAmplitude(4, [4, 2])]
)
def test_the_baseline_lies_on_the_grid_of_hr(degradation: Degradation) -> None:
    ramp = torch.arange(32.0)[:, None] + 100 + 3 * torch.arange(24.0)
    hr = as_channels(ramp[None].to(torch.complex64))
    assert degradation.factors == (4, 2)
    baseline = degradation.bicubic(BicubicAmplitude(4, [4, 2])(hr, None))
    assert baseline.shape == (1, 1, 32, 24)
    torch.testing.assert_close(baseline[0, 0, 12:20, 8:16], ramp[12:20, 8:16], atol=0.05, rtol=0)


def test_one_factor_is_as_before() -> None:
    hr = clutter((0.9, 0.9))
    for one, two in ((Bandcut(3), Bandcut(3, grid=[3, 3])), (Multilook(3), Multilook(3, [3, 3]))):
        assert torch.equal(one(hr, None), two(hr, None))
    assert torch.equal(BicubicAmplitude(3)(hr, None), imresize(amplitude(hr), 1 / 3).clamp_min(0))
    lr = Multilook(3)(hr, None)
    assert torch.equal(Multilook(3).bicubic(lr), imresize(lr, 3))
    assert Sublook(3).factors == (3, 3)
    assert modcrop(torch.ones(1, 9, 9), (4, 2)).shape == (1, 8, 8)
    assert modcrop(torch.ones(1, 9, 9), 4).shape == (1, 8, 8)


@pytest.mark.parametrize("grid", [[2, 1], [4, 8], [4], [4, 0], [4, 2, 2]])
def test_what_is_no_grid_of_the_scale_is_refused(grid: list[int]) -> None:
    with pytest.raises(UserError, match=r"degradation\.grid: .* no factors at scale x4"):
        Bandcut(4, grid=grid)


def test_names() -> None:
    assert named((4, 4)) == "x4"
    assert named((4, 1)) == "x4 in rows and x1 in columns"
    assert per_axis(4, None, "here") == (4, 4)
