"""Widths of a radar's blur from the scene's spectrum and from the speckle's correlation."""

import math

import pytest
import torch
from torch import Tensor

from sr_lab.config.compose import compose, to_plain
from sr_lab.data.piecewise import PiecewiseScenes
from sr_lab.data.sample import Sample
from sr_lab.degradation.axis_gaussian import AxisGaussians
from sr_lab.degradation.chain import keyed_generator
from sr_lab.degradation.detected import DetectedBlur
from sr_lab.degradation.speckle import Speckle, circular_gaussian, speckle
from sr_lab.io.complex import as_channels
from sr_lab.metrics.kernel import width_error
from sr_lab.priors.spectral import point_spread
from sr_lab.priors.spectral.aliases import aliases
from sr_lab.priors.spectral.axis import AxisGaussianBlurs
from sr_lab.priors.spectral.radar import SpectralRadar, speckle_power

AZIMUTH, RANGE = 1.2, 0.6  # LR pixels


def blurred_slc(side: int = 256, seed: int = 0) -> Tensor:
    """White speckle through a Gaussian whose squared magnitude has the widths above; by its transfer function."""
    white = circular_gaussian(
        torch.empty(side, side, dtype=torch.complex128), torch.Generator().manual_seed(seed)
    )
    frequency = torch.fft.fftfreq(side, dtype=torch.float64)
    gain = [torch.exp(-4 * math.pi**2 * sigma**2 * frequency**2) for sigma in (AZIMUTH, RANGE)]
    return torch.fft.ifft2(torch.fft.fft2(white) * torch.outer(*gain))


def sample(lr: Tensor) -> Sample:
    return Sample(lr=lr, scale=2, image_ids=["a"])


def started(prior: SpectralRadar, lr: Tensor) -> SpectralRadar:
    prior.start(sample(lr), DetectedBlur(2, AxisGaussians(2, size=21)), [torch.Generator()])
    return prior


def truth(sigma_azimuth: float, sigma_range: float) -> Tensor:
    ranges = (sigma_range, sigma_range), (sigma_azimuth, sigma_azimuth)
    return AxisGaussians(2, size=21, sigma=ranges[0], azimuth=ranges[1], tilt=0).sample(1, torch.Generator())


def test_siegert() -> None:
    """Intensity shows the square of what the complex image shows, and both follow the point spread."""
    z = blurred_slc()
    from_slc, from_intensity = point_spread.of_slc(z), point_spread.of_detected(z.abs().square())
    lag = torch.arange(-3, 4)
    wanted = torch.exp(-(lag[:, None] ** 2) / (4 * AZIMUTH**2) - lag**2 / (4 * RANGE**2))
    assert (from_slc - wanted).abs().max() < 0.08
    assert (from_intensity - from_slc).abs().max() < 0.15


@pytest.mark.parametrize("kind", ["slc", "detected"])
def test_widths_from_speckle(kind: str) -> None:
    z = blurred_slc()
    lr = as_channels(z[None]) if kind == "slc" else z.abs()[None, None]
    prior = started(SpectralRadar(speckle="correlated"), lr.float())
    wanted = truth(2 * AZIMUTH, 2 * RANGE)
    for axis in (0, 1):
        assert float(width_error(prior.kernel(), wanted, axis)) < 12
    assert 0 < float(prior.uncertainty()) < 0.3


@pytest.mark.filterwarnings("ignore:.*shows little of its blur")
@pytest.mark.parametrize(("looks", "limit"), [(16, 20), (1000, 10)])
def test_widths_from_a_scene(looks: int, limit: float) -> None:
    kernels = AxisGaussians(2, size=21, sigma=(0.8, 0.8), azimuth=(2.4, 2.4), tilt=0)
    degradation = DetectedBlur(2, kernels, [Speckle(looks)])
    lr = degradation.degrade(PiecewiseScenes(1, seed=5)[0][None], keyed_generator(0, "a")).lr
    prior = started(SpectralRadar(), lr)
    for axis in (0, 1):
        assert float(width_error(prior.kernel(), truth(2.4, 0.8), axis)) < limit
    turned = started(SpectralRadar(), 7 * lr.mT)
    torch.testing.assert_close(turned.estimates[0].shape.flip(0), prior.estimates[0].shape, rtol=0, atol=0.1)


@pytest.mark.parametrize("speckle", ["white", "correlated"])
def test_images_that_tell_nothing(speckle: str) -> None:
    from sr_lab.priors.spectral.axis import TYPICAL

    prior = SpectralRadar(speckle=speckle)  # pyright: ignore[reportArgumentType]
    for lr in (torch.zeros(1, 1, 64, 64), torch.full((1, 1, 64, 64), torch.nan)):
        with pytest.warns(UserWarning, match="a typical kernel is assumed"):
            started(prior, lr)
        assert float(width_error(prior.kernel(), truth(2 * TYPICAL, 2 * TYPICAL), 0)) < 1


def test_slopes_are_derivatives() -> None:
    family, random = AxisGaussianBlurs(), torch.Generator().manual_seed(0)
    frequency = torch.rand(2, 5, generator=random, dtype=torch.float64) - 0.5
    at = aliases(frequency[0], frequency[1], 2)
    share = torch.rand(5, 4, generator=random, dtype=torch.float64)
    shape = torch.tensor([0.3, -0.8], dtype=torch.float64)
    wanted = torch.func.jacrev(lambda s: (share * family.log_gain(s, at)).sum(1))(shape)
    torch.testing.assert_close(family.slope(shape, at, share), wanted)


def test_its_config_builds() -> None:
    from sr_lab.config.build import build

    config = to_plain(compose(["scene=sar", "prior=spectral_sar"]))
    assert isinstance(build(config["prior"]), SpectralRadar)


@pytest.mark.parametrize("looks", [1, 4])
def test_the_share_of_speckle_is_what_draws_have(looks: int) -> None:
    mean = torch.rand(400, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.1
    root = mean.pow(0.25)
    stable = (mean * speckle(mean, looks, torch.Generator().manual_seed(1))).pow(0.25)
    noise = stable - root * (stable.mean() / root.mean())
    assert (noise.square().mean() / stable.square().mean()).item() == pytest.approx(
        speckle_power(looks), rel=0.02
    )
