"""Sensor cards against sensors that are known, and pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sr_lab.degradation.band import cut_band, shifted_band
from sr_lab.degradation.speckle import circular_gaussian, complex_noise
from sr_lab.errors import UserError
from sr_lab.scenes.sar.card import SensorCard
from sr_lab.scenes.sar.image import RadarImage
from sr_lab.scenes.sar.own_files import normalised
from sr_lab.scenes.sar.render import DecibelView


@pytest.mark.parametrize("alpha", [1.0, 0.85, 0.75])
def test_a_known_sensor_is_measured(alpha: float) -> None:
    generator = torch.Generator().manual_seed(0)
    white = circular_gaussian(torch.empty(300, 256, dtype=torch.complex128), generator)
    seen = shifted_band(cut_band(white, (300, 256), (0.6, 0.8), alpha=alpha), (0.2, -0.1))
    noisy, _ = complex_noise(seen[None], 20, generator)
    card = SensorCard.of(noisy[0])
    np.testing.assert_allclose(card.band.centre, (0.2, -0.1), atol=0.02)
    np.testing.assert_allclose(card.band.width, (0.6, 0.8), atol=0.03)
    np.testing.assert_allclose(card.alpha, (alpha, alpha), atol=0.06)
    assert card.noise_db == pytest.approx(-20, abs=1.5)
    assert "azimuth x range" in str(card)


def test_a_full_band_hides_its_noise() -> None:
    white = circular_gaussian(torch.empty(64, 64, dtype=torch.complex64), torch.Generator().manual_seed(0))
    card = SensorCard.of(white)
    assert card.noise_db is None
    assert "noise floor unknown" in str(card)
    assert "pixels" not in str(card)
    told = SensorCard.of(white, (5.3, 4.6))
    assert "pixels of 5.30 x 4.60 m, resolution of a flat band 4.70 x 4.08 m, band 1.00 x 1.00" in str(told)


def test_radarsat_and_palsar(data: Path) -> None:
    radarsat = SensorCard.of(torch.from_numpy(np.load(data / "sar/test/radarsat1/scene_7_Brackendale.npy")))
    np.testing.assert_allclose(radarsat.band.width, (0.716, 0.932), atol=0.006)
    assert radarsat.alpha[1] > 0.9, "a rectangular window in range"
    assert radarsat.alpha[0] < 0.9, "the antenna's taper in azimuth"
    palsar = SensorCard.of(torch.from_numpy(np.load(data / "sar/calibration/rio_branco_HH.npy")))
    assert palsar.band.width[1] == pytest.approx(0.86, abs=0.05)


def test_images_are_centred_and_scaled() -> None:
    white = circular_gaussian(torch.empty(128, 128, dtype=torch.complex64), torch.Generator().manual_seed(0))
    off = shifted_band(cut_band(white, (128, 128), (0.5, 0.5)), (0.3, 0.1))
    radar = RadarImage(off.numpy(), "slc", Path("a.npy"), "npy", "<c8")
    image = normalised(radar, 2.0, SensorCard.of(off))
    assert (image.shape, image.dtype) == ((2, 128, 128), torch.float32)
    torch.testing.assert_close(image.norm(dim=0), off.abs() / 2)
    again = SensorCard.of(torch.complex(image[0], image[1]))
    np.testing.assert_allclose(again.band.centre, (0, 0), atol=0.01)
    decibels = RadarImage(np.full((2, 2), 20.0), "log", Path("a.npy"), "npy", "<f8")
    torch.testing.assert_close(normalised(decibels, 2.0, None), torch.full((1, 2, 2), 5.0))


def test_a_picture_has_a_fixed_range() -> None:
    image = np.array([[[0.0, 10**-1.25, 1.0, 10.0]]], np.float32)
    view = DecibelView(-25, 15)
    picture = view(image, 100 * image, {})
    assert (picture.shape, picture.dtype) == ((1, 4, 3), np.float32)
    np.testing.assert_allclose(picture[0, :, 0], [0, 0, 0.625, 1], atol=1e-6)
    both = np.concatenate([0.6 * image, 0.8 * image])
    np.testing.assert_allclose(view(both, both, {}), picture, atol=1e-5)
    with pytest.raises(UserError, match="not a range"):
        DecibelView(5, -5)
