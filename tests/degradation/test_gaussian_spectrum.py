import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from sr_lab.degradation.blur import blur_decimate
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.gaussian_spectrum import GaussianSpectrum, SpectralBlur, blur_decimate_bands
from sr_lab.errors import UserError


def covariance(kernel: np.ndarray) -> np.ndarray:
    place = np.argwhere(np.ones(kernel.shape)).astype(float)
    weight = kernel.astype(float).ravel() / kernel.sum()
    centred = place - weight @ place
    return (weight[:, None] * centred).T @ centred


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_the_covariance_grows_with_the_square_of_the_wavelength() -> None:
    sampler = GaussianSpectrum(
        2, (500.0, 2000.0), (0.6, 0.6), size=31, variance=(3.0, 5.0), anchor="block_center"
    )
    family = sampler.draw(2, 7, generator())
    assert family.shape == (2, 7, 31, 31)
    torch.testing.assert_close(family.sum((2, 3)), torch.ones(2, 7))
    share = np.linspace(500, 2000, 7) / 2000
    for kernels in family.numpy():
        last = covariance(kernels[-1])
        for kernel, part in zip(kernels, share, strict=True):
            np.testing.assert_allclose(covariance(kernel), last * (0.4 + 0.6 * part**2), atol=0.02)
    torch.testing.assert_close(sampler.sample(2, generator())[:, 0], family[:, -1])


def test_without_optics_all_bands_share_a_kernel() -> None:
    family = GaussianSpectrum(2, optics=(0.0, 0.0)).draw(1, 5, generator())[0]
    for kernel in family:
        torch.testing.assert_close(kernel, family[0])
    low, high = GaussianKernels(2).variances
    assert low < np.trace(covariance(family[0].numpy())) < 2 * high


@pytest.mark.parametrize(
    ("boundary", "mode"), [("circular", "wrap"), ("reflect", "mirror"), ("replicate", "nearest")]
)
def test_every_band_has_its_own_blur(boundary: str, mode: str) -> None:
    image = torch.rand(2, 3, 16, 18, generator=generator(), dtype=torch.float64)
    kernels = torch.rand(2, 3, 5, 5, generator=generator(), dtype=torch.float64)
    for phase in (0, 1):
        found = blur_decimate_bands(image, kernels, 2, boundary=boundary, phase=phase)  # pyright: ignore[reportArgumentType]
        for one in range(2):
            for band in range(3):
                whole = ndimage.correlate(image[one, band].numpy(), kernels[one, band].numpy(), mode=mode)
                np.testing.assert_allclose(found[one, band], whole[phase::2, phase::2])
    alike = kernels[:, :1].expand(-1, 3, -1, -1)
    expected = blur_decimate(image, kernels[:, :1], 2, boundary="reflect")
    torch.testing.assert_close(blur_decimate_bands(image, alike, 2, boundary="reflect"), expected)


def test_the_degradation_gives_the_mean_kernel_and_sharper_blue() -> None:
    noise = torch.rand(1, 1, 64, 64, generator=generator()).expand(1, 6, -1, -1)
    degradation = SpectralBlur(2, GaussianSpectrum(2))
    degraded = degradation.degrade(noise, generator())
    family = GaussianSpectrum(2).draw(1, 6, generator())
    torch.testing.assert_close(degraded.kernel, family.mean(1, keepdim=True))
    contrast = degraded.lr.std((2, 3))[0]
    assert bool((contrast[:-1] > contrast[1:]).all())
    assert degradation.degrade(noise[:, :1], generator()).lr.shape == (1, 1, 32, 32)


@pytest.mark.parametrize("optics", [(0.5, 1.0), (-0.1, 0.5), (0.9, 0.5)])
def test_a_part_is_a_part(optics: tuple[float, float]) -> None:
    with pytest.raises(UserError, match="optics"):
        GaussianSpectrum(2, optics=optics)
    with pytest.raises(UserError, match="wavelengths"):
        GaussianSpectrum(2, wavelengths=(math.inf, 400.0))


def test_a_cubes_own_wavelengths_come_first() -> None:
    image = torch.rand(1, 3, 32, 32, generator=generator())
    degradation = SpectralBlur(2, GaussianSpectrum(2))
    alike = degradation.degrade(image, generator(), {"wavelengths": np.full(3, 700.0)}).band_kernels
    spread = degradation.degrade(
        image, generator(), {"wavelengths": np.array([400.0, 900.0, 2500.0])}
    ).band_kernels
    assert alike is not None
    assert spread is not None
    torch.testing.assert_close(alike[:, 0], alike[:, 2])
    torch.testing.assert_close(spread[:, 2], alike[:, 2])  # the longest has the kernel that is drawn
    widths = [np.trace(covariance(kernel)) for kernel in spread[0].numpy()]
    assert widths[0] < widths[1] < widths[2]
