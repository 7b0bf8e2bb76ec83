"""The response of a sensor from a reflector's chip, against a known taper and on PALSAR's two polarisations."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sr_lab.degradation.band import chip_band, hamming, in_band, shifted_band
from sr_lab.degradation.speckle import complex_noise
from sr_lab.methods.impulse_response import ImpulseResponse, divided
from sr_lab.methods.matching_pursuit import waves

WIDTH = (0.75, 0.6)


def chip(side: int = 64) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """A reflector under weights of 0.8 and 0.9, between the pixels, in noise; and the weights."""
    ks = [in_band(side, width) for width in WIDTH]
    weights = [
        hamming(k / (side * width), alpha) for k, width, alpha in zip(ks, WIDTH, (0.8, 0.9), strict=True)
    ]
    place = torch.tensor([30.3, 35.8], dtype=torch.float64)
    lines = [waves(place[i : i + 1], ks[i], side)[0] * weights[i] for i in (0, 1)]
    spectrum = torch.zeros(side, side, dtype=torch.complex128)
    spectrum[ks[0][:, None], ks[1]] = lines[0][:, None] * lines[1] * (3 - 2j)
    noisy = complex_noise(torch.fft.ifft2(spectrum)[None], 15, torch.Generator().manual_seed(0))[0][0]
    return torch.fft.fft2(noisy)[ks[0]][:, ks[1]], [one / one.mean() for one in weights]


def test_the_taper_is_found_in_noise() -> None:
    band, weights = chip()
    response = ImpulseResponse.of(band, WIDTH)
    for axis, want in enumerate(weights):
        np.testing.assert_allclose(response.at(axis, len(want)), want, atol=0.1)
        resampled = response.at(axis, 2 * len(want) - 1)
        np.testing.assert_allclose(resampled[::2], response.at(axis, len(want)), atol=1e-9)


def test_the_band_goes_on_as_the_taper_does() -> None:
    """Hamming weights are three exponentials; what is told of them beyond the middle is nearer than a flat band."""
    k = torch.arange(-20, 21, dtype=torch.float64)
    whole = hamming(k / 41, 0.8)
    middle = whole[10:31].to(torch.complex128)
    response = ImpulseResponse.of(middle[:, None] * middle, (0.5, 0.5))
    flat = torch.ones(41, dtype=torch.complex128)
    for axis in (0, 1):
        found = response.sharpened(axis, 21, 41) * middle.mean()
        assert (found - whole).norm() < 0.9 * (flat * middle[0] - whole).norm()
        np.testing.assert_allclose(found[10:31], middle, atol=1e-9)


def test_weak_ends_are_not_divided_by() -> None:
    weights = torch.tensor([[0.05, 1.0], [0.5, 1.0]], dtype=torch.complex128)
    found = divided(torch.ones(2, 2, dtype=torch.complex128), weights)
    np.testing.assert_allclose(found, [[0, 1], [2, 1]])


def test_one_polarisation_tells_of_another(data: Path) -> None:
    found = []
    for channel in ("HH", "VV"):
        image = torch.from_numpy(np.load(data / f"sar/calibration/rio_branco_{channel}.npy"))
        centre, width = chip_band(image)
        image = shifted_band(image, (-centre[0], -centre[1]))
        rows, columns = (in_band(n, one) for n, one in zip(image.shape, width, strict=True))
        found.append(ImpulseResponse.of(torch.fft.fft2(image)[rows][:, columns], width))
    for axis, count in ((0, 78), (1, 42)):
        hh, vv = (one.at(axis, count) for one in found)
        correlation = (hh.conj() * vv).sum().abs() / (hh.norm() * vv.norm())
        assert correlation.item() == pytest.approx(1, abs=0.04)
