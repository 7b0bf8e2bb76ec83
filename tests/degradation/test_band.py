import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sr_lab.degradation.band import (
    Band,
    Pair,
    chip_band,
    cut_band,
    in_band,
    moved,
    occupied_band,
    pad_band,
    shifted_band,
)
from sr_lab.degradation.speckle import circular_gaussian


def clutter(shape: tuple[int, int], width: Pair = (1.0, 1.0), seed: int = 0) -> torch.Tensor:
    """Complex white clutter seen through a rectangular band, mean power 1."""
    white = circular_gaussian(torch.empty(shape, dtype=torch.complex128), torch.Generator().manual_seed(seed))
    seen = cut_band(white, shape, width)
    return seen / seen.abs().square().mean().sqrt()


def test_the_band_is_found_wherever_it_lies() -> None:
    image = clutter((240, 200), (0.6, 0.8))
    for centre in ((0.0, 0.0), (0.3, -0.1), (-0.45, 0.2)):
        found = occupied_band(shifted_band(image, centre))
        np.testing.assert_allclose(found.width, (0.6, 0.8), atol=0.025)
        for axis in (0, 1):
            apart = (found.centre[axis] - centre[axis] + 0.5) % 1 - 0.5
            assert abs(apart) < 0.01
    assert occupied_band(clutter((64, 64))) == Band((0.0, 0.0), (1.0, 1.0)), "a full band has no centre"


def test_radarsat_is_oversampled(data: Path) -> None:
    image = np.load(data / "sar/train/radarsat1/scene_1_coal_and_ferry_terminals.npy")
    found = occupied_band(torch.from_numpy(image))
    np.testing.assert_allclose(found.width, (0.716, 0.932), atol=0.006)
    np.testing.assert_allclose(found.centre, (0, 0), atol=0.005)


def test_a_cut_is_what_a_plain_fft_gives() -> None:
    """At factor 1 in one axis and 3 in the other, where the shared edges ask for a whole pixel's shift."""
    image = clutter((12, 36))
    spectrum = np.fft.fftshift(np.fft.fft2(image.numpy()))
    low = np.where(np.abs(np.arange(36) - 18) < 6, spectrum, 0)
    plain = np.fft.ifft2(np.fft.ifftshift(np.where(np.abs(np.arange(12) - 6)[:, None] < 6, low, 0)))
    np.testing.assert_allclose(cut_band(image, (12, 12), (1.0, 1 / 3)).numpy(), plain[:, 1::3], atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_padding_undoes_a_cut_and_a_cut_padding(scale: int) -> None:
    small = clutter((24, 30), (0.9, 0.8))
    size = (24 * scale, 30 * scale)
    large = pad_band(small, size)
    torch.testing.assert_close(cut_band(large, (24, 30), (1 / scale, 1 / scale)), small)
    assert large.abs().square().mean().item() == pytest.approx(1.0)
    again = pad_band(cut_band(large, (24, 30), (1 / scale, 1 / scale)), size)
    torch.testing.assert_close(again, large)


def test_grids_share_their_outer_edges() -> None:
    """A slow wave, sampled at the centres of coarse pixels and of fine ones."""
    fine, coarse = torch.arange(48) + 0.5, (torch.arange(12) + 0.5) * 4

    def wave(x: torch.Tensor) -> torch.Tensor:
        line = torch.exp(2j * math.pi * 2 * x.double() / 48)
        return line[:, None] * line

    torch.testing.assert_close(cut_band(wave(fine), (12, 12), (0.2, 0.2)), wave(coarse))
    torch.testing.assert_close(pad_band(wave(coarse), (48, 48)), wave(fine))


def test_a_band_that_is_moved_comes_back_on_a_finer_grid() -> None:
    scale, centre = 2, (0.3, -0.21)
    small = clutter((20, 28), (0.5, 0.5))
    off = shifted_band(small, centre)
    spacing = 1 / scale
    large = shifted_band(pad_band(small, (40, 56)), centre, spacing)
    coarse = occupied_band(off).centre
    found = occupied_band(large).centre
    np.testing.assert_allclose(np.array(found) * scale, coarse, atol=0.05)
    back = shifted_band(shifted_band(small, centre), (-centre[0], -centre[1]))
    torch.testing.assert_close(back, small)
    torch.testing.assert_close(off.abs(), small.abs())


def test_moving_by_whole_pixels_rolls() -> None:
    image = clutter((9, 15))
    torch.testing.assert_close(moved(image, 2, -1), image.roll(-2, -1))
    torch.testing.assert_close(moved(image, -3, -2), image.roll(3, -2))


def test_siegert_relation() -> None:
    """Of speckle, cov_I(d) / mean_I^2 = |gamma(d)|^2: the point spread shows in detected data too."""
    image = clutter((600, 600), (0.5, 0.9), seed=3)
    power = image.abs().square()
    for lag, axis in ((1, -2), (2, -2), (1, -1)):
        gamma = (image * image.roll(lag, axis).conj()).mean().abs() / power.mean()
        covariance = (power * power.roll(lag, axis)).mean() - power.mean() ** 2
        assert (covariance / power.mean() ** 2).item() == pytest.approx(gamma.item() ** 2, abs=0.012)
    assert (image * image.roll(1, -2).conj()).mean().abs().item() == pytest.approx(np.sinc(0.5), abs=0.01), (
        "gamma is the transform of the band"
    )


def test_the_band_of_a_chip_is_that_of_its_samples() -> None:
    for side, width, centre in ((48, 0.75, 5), (24, 0.8, -4), (64, 0.5, 0)):
        k = in_band(side, width)
        assert (k == -k.flip(0)).all()
        assert len(k) == 2 * math.ceil(width * side / 2 - 1) + 1
        spectrum = torch.zeros(side, side, dtype=torch.complex128)
        spectrum[((k + centre) % side)[:, None], k % side] = 1
        found = chip_band(torch.fft.ifft2(spectrum))
        assert found.centre == pytest.approx((centre / side, 0))
        assert found.width == pytest.approx((len(k) / side, len(k) / side))
    assert len(in_band(8, 1.0)) == 7, "one frequency stands for both signs"
