import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from sr_lab.degradation.speckle import Speckle, circular_gaussian, complex_noise, speckle
from sr_lab.errors import UserError


def keyed(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("looks", [1.0, 2.5, 4.0])
def test_speckle_is_gamma(looks: float) -> None:
    n = speckle(torch.empty(300, 300, dtype=torch.float64), looks, keyed()).numpy().ravel()
    error = 5 / math.sqrt(n.size)
    assert n.mean() == pytest.approx(1, abs=error / math.sqrt(looks))
    assert n.var() == pytest.approx(1 / looks, rel=0.03)
    assert stats.kstest(n, stats.gamma(looks, scale=1 / looks).cdf).pvalue > 1e-3
    bias = special.digamma(looks) - math.log(looks)
    assert np.log(n).mean() == pytest.approx(bias, abs=0.02)
    assert np.log(n).var() == pytest.approx(special.polygamma(1, looks), rel=0.04)


def test_log_speckle_of_one_look_in_decibels() -> None:
    decibels = 10 * torch.log10(speckle(torch.empty(400, 400), 1, keyed()))
    assert decibels.mean().item() == pytest.approx(-2.507, abs=0.06)
    assert decibels.std().item() == pytest.approx(5.570, abs=0.06)


def test_amplitude_of_a_circular_gaussian_is_rayleigh() -> None:
    z = circular_gaussian(torch.empty(400, 400, dtype=torch.complex64), keyed())
    a = z.abs()
    assert (a.mean() / a.std()).item() == pytest.approx(1.913, rel=0.01)
    assert (a.mean() / a.square().mean().sqrt()).item() == pytest.approx(0.886, rel=0.005)
    assert (z.real * z.imag).mean().abs() < 0.01


def test_noise_has_the_level_it_says() -> None:
    image = 3 * circular_gaussian(torch.empty(2, 200, 200, dtype=torch.complex64), keyed(1))
    image[1] *= 10
    noisy, level = complex_noise(image, 10.0, keyed(2))
    added = noisy - image
    ratio = image.abs().square().mean((1, 2)) / added.abs().square().mean((1, 2))
    torch.testing.assert_close(10 * ratio.log10(), torch.full((2,), 10.0), atol=0.1, rtol=0)
    torch.testing.assert_close(added.real.std((1, 2)), level, rtol=0.02, atol=0)


def test_speckle_on_an_amplitude_keeps_the_mean_intensity() -> None:
    image = torch.full((1, 1, 200, 200), 3.0)
    speckled, level = Speckle(4)(image, keyed())
    assert level is None
    assert speckled.square().mean().item() == pytest.approx(9, rel=0.01)
    intensity = speckled.square()
    assert (intensity.mean() ** 2 / intensity.var()).item() == pytest.approx(4, rel=0.03)
    torch.testing.assert_close(Speckle(4)(image, keyed())[0], speckled)
    with pytest.raises(UserError, match="0 looks"):
        Speckle(0)
