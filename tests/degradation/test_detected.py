import numpy as np
import pytest
import torch

from sr_lab.degradation.axis_gaussian import AxisGaussians
from sr_lab.degradation.detected import BicubicAmplitude, DetectedBlur, Multilook
from sr_lab.degradation.gaussian import centre_of_mass
from sr_lab.degradation.resample import imresize
from sr_lab.degradation.speckle import Speckle, circular_gaussian
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels, intensity


def keyed(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def white() -> torch.Tensor:
    return as_channels(circular_gaussian(torch.empty(1, 240, 240, dtype=torch.complex64), keyed()))


def test_multilooking_averages_intensity(white: torch.Tensor) -> None:
    lr = Multilook(2).degrade(white, keyed()).lr
    power = white.numpy()[0, 0] ** 2 + white.numpy()[0, 1] ** 2
    expected = power.reshape(120, 2, 120, 2).mean((1, 3))
    np.testing.assert_allclose(lr[0, 0].numpy() ** 2, expected, rtol=1e-5)
    looks = intensity(lr).mean() ** 2 / intensity(lr).var()
    assert looks.item() == pytest.approx(4, rel=0.1)


def test_blur_acts_on_intensity_and_speckle_comes_last() -> None:
    flat = torch.full((1, 1, 200, 200), 2.0)
    flat[..., 100:] = 6.0
    degradation = DetectedBlur(2, AxisGaussians(2, sigma=(1, 2)), [Speckle(4)])
    degraded = degradation.degrade(flat, keyed())
    assert degraded.kernel is not None
    clean = degradation(flat, degraded.kernel)
    calm = intensity(clean)[..., 10:-10, 10:40]
    torch.testing.assert_close(calm, torch.full_like(calm, 4.0))
    ratio = (intensity(degraded.lr) / intensity(clean))[..., 5:-5, 5:-5]
    assert (ratio.mean() ** 2 / ratio.var()).item() == pytest.approx(4, rel=0.06)
    row = intensity(clean)[0, 0, 50]
    assert row[30].item() == pytest.approx(4, rel=1e-3)
    assert row[70].item() == pytest.approx(36, rel=1e-3)


def test_bicubic_of_the_amplitude_moves_the_mean_intensity(white: torch.Tensor) -> None:
    lr = BicubicAmplitude(2).degrade(white, keyed()).lr
    torch.testing.assert_close(lr, imresize(white.norm(dim=1, keepdim=True), 0.5).clamp_min(0))
    assert intensity(lr).mean() < 0.9 * intensity(white).mean(), "the bias that the docstring names"


def test_kernels_lie_along_the_axes() -> None:
    kernels = AxisGaussians(2, sigma=(0.8, 2.0), tilt=0).sample(200, keyed())
    torch.testing.assert_close(kernels.sum((-2, -1)), torch.ones(200, 1))
    centre = (25 + 2) / 2 - 1
    torch.testing.assert_close(
        centre_of_mass(kernels.double()), torch.full((200, 2), centre).double(), atol=1e-3, rtol=0
    )
    place = torch.arange(25.0) - centre
    rows, columns = ((kernels[:, 0].sum(axis) * place**2).sum(-1).sqrt() for axis in (-1, -2))
    assert columns.min() > 0.75
    assert columns.max() < 2.1
    assert rows.min() > 0.75
    ratio = (rows / columns).log()
    assert ratio.abs().max() < np.log(6.1)
    assert ratio.min() < -0.5 < 0.5 < ratio.max()
    mixed = torch.einsum("nij,i,j->n", kernels[:, 0], place, place)
    assert mixed.abs().max() < 1e-4
    tilted = AxisGaussians(2, sigma=(0.8, 2.0), tilt=10).sample(50, keyed())
    assert torch.einsum("nij,i,j->n", tilted[:, 0], place, place).abs().max() > 0.05
    with pytest.raises(UserError, match="no range"):
        AxisGaussians(2, sigma=(0, 2))


def test_axis_gaussians_with_a_range_for_azimuth_as_a_flow_learns_them() -> None:
    kernels = AxisGaussians(2, size=21, sigma=(0.8, 0.8), azimuth=(2.4, 2.4), tilt=0, anchor="fkp")
    drawn = kernels.validation_set()
    assert drawn.shape == (1024, 1, 21, 21)
    assert kernels.kernel_size == 21
    assert kernels.facts() == {"scale": 2}
    assert drawn.max().item() < kernels.normalization() < 1.02 * drawn.max().item()
    place = torch.arange(21.0)
    for axis, wanted in ((2, 0.8), (1, 2.4)):
        mass = drawn[0, 0].sum(2 - axis)
        mean = mass @ place
        assert float((mass @ (place - mean) ** 2).sqrt()) == pytest.approx(wanted, rel=0.01)
    with pytest.raises(UserError, match="no range"):
        AxisGaussians(2, azimuth=(2.0, 1.0))
