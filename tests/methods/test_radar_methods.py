"""Zero-padding and spatially variant apodisation on point targets."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sr_lab.data.sample import Sample
from sr_lab.degradation.band import chip_band, cut_band, shifted_band
from sr_lab.degradation.bandcut import Bandcut
from sr_lab.degradation.detected import Multilook
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels, as_complex
from sr_lab.methods.interpolate import Interpolate
from sr_lab.methods.sva import SVA, apodised
from sr_lab.methods.zero_pad import ZeroPad
from sr_lab.metrics.point_target import point_response


def targets(width: float, places: tuple[float, ...] = (30.3,), side: int = 64) -> torch.Tensor:
    """Points on one row, seen through a flat band; the image wraps around."""
    k = torch.arange(side, dtype=torch.float64) - side // 2
    inside = (k.abs() / side < width / 2).double()

    def line(at: float) -> torch.Tensor:
        place = torch.arange(side, dtype=torch.float64)[:, None] - at
        return (torch.exp(2j * math.pi * k / side * place) * inside).mean(1)

    rows = line(places[0])[:, None]
    return as_channels(torch.stack([sum((rows * line(at) for at in places), torch.zeros(()))])).float()


def zero_pad(scale: int, grid: list[int] | None = None) -> ZeroPad:
    method = ZeroPad()
    method.bind(Bandcut(scale, grid=grid), 0)
    return method


def test_zero_padding_is_the_exact_sinc() -> None:
    lr = targets(0.7)
    restored = zero_pad(2).restore(Sample(lr, 2, ["a"]))
    assert restored.sr.shape == (1, 2, 128, 128)
    again = cut_band(as_complex(restored.sr), (64, 64), (0.5, 0.5))
    torch.testing.assert_close(again, as_complex(lr), atol=1e-6, rtol=1e-5)
    before, after = (point_response(as_complex(image)[0]) for image in (lr, restored.sr))
    for one, other in zip(before, after, strict=True):
        assert other.width == pytest.approx(2 * one.width, rel=0.02)
        assert other.pslr == pytest.approx(one.pslr, abs=0.4)


@pytest.mark.parametrize("grid", [[4, 2], [1, 2]])
def test_zero_padding_by_factors_of_the_grid(grid: list[int]) -> None:
    lr, scale = targets(0.7), max(grid)
    sr = zero_pad(scale, grid).restore(Sample(lr, scale, ["a"])).sr
    assert sr.shape == (1, 2, 64 * grid[0], 64 * grid[1])
    again = cut_band(as_complex(sr), (64, 64), (1 / grid[0], 1 / grid[1]))
    torch.testing.assert_close(again, as_complex(lr), atol=1e-6, rtol=1e-5)
    with pytest.raises(UserError, match=r"degradation\.grid: SVA enlarges both axes alike"):
        SVA().bind(Bandcut(scale, grid=grid), 0)
    bicubic = Interpolate(aligned=False)
    bicubic.bind(Multilook(scale, grid), 0)
    assert bicubic.restore(Sample(lr, scale, ["a"])).sr.shape == sr.shape


def test_apodisation_takes_the_sidelobes_and_leaves_the_peak() -> None:
    lr = targets(0.7)
    padded = as_complex(zero_pad(4).restore(Sample(lr, 4, ["a"])).sr)[0].abs()
    for method in (SVA(), SVA(occupied=[0.7, 0.7])):
        found = as_complex(method.restore(Sample(lr, 4, ["a"])).sr)[0].abs()
        peak = padded.max()
        assert found.max() == pytest.approx(peak.item(), rel=0.02)
        row, column = divmod(int(padded.argmax()), padded.shape[1])
        far = (torch.arange(256) - column).abs() > 6
        assert padded[row][far].max() > 0.15 * peak
        assert found[row][far].max() < 0.04 * peak
        assert (found[row] > peak / 2**0.5).sum() <= (padded[row] > peak / 2**0.5).sum(), "no wider"


def test_the_weight_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.normal(size=(6, 8)) + 1j * rng.normal(size=(6, 8)))
    found = apodised(image, (1.0, 1.0))

    def brute(values: np.ndarray, axis: int) -> np.ndarray:
        both = np.roll(values, 1, axis) + np.roll(values, -1, axis)
        tried = values + np.linspace(0, 0.5, 20001)[:, None, None] * both
        best = np.take_along_axis(tried, np.abs(tried).argmin(0)[None], 0)[0]
        return np.where(np.abs(best) < 1e-3, 0, best)

    want = image.numpy()
    for axis in (1, 0):
        want = brute(np.real(want), axis) + 1j * brute(np.imag(want), axis)
    np.testing.assert_allclose(found.numpy(), want, atol=2e-3)


def test_sidelobes_of_a_corner_reflector_go(data: Path) -> None:
    """PALSAR's own band on a grid twice as fine: as narrow, and its sidelobes at least 5 dB lower."""
    image = torch.from_numpy(np.load(data / "sar/calibration/rio_branco_HH.npy"))[None] / 500
    centre = chip_band(image[0]).centre
    sample = Sample(as_channels(shifted_band(image, (-centre[0], -centre[1]))), 2, ["a"])
    padded, found = (
        point_response(as_complex(method.restore(sample).sr)[0]) for method in (zero_pad(2), SVA())
    )
    for before, after in zip(padded, found, strict=True):
        assert after.width == pytest.approx(before.width, rel=0.05)
        assert after.pslr < before.pslr - 5


def test_detected_images_are_refused() -> None:
    sample = Sample(torch.ones(1, 1, 16, 16), 2, ["a"])
    for method in (zero_pad(2), SVA()):
        with pytest.raises(UserError, match="needs a complex image"):
            method.restore(sample)
    with pytest.raises(UserError, match="is no band"):
        SVA(occupied=[0.7])
