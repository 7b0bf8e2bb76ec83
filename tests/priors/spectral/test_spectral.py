"""Parametrisation, periodogram, expected spectrum and fit against independent references."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.spectrum import expected
from reference.spectrum import power as kernel_power
from scipy.linalg import expm

from sr_lab.degradation.blur import blur_decimate
from sr_lab.degradation.gaussian import centre_of_mass, gaussian_kernels
from sr_lab.priors.spectral.aliases import TERMS, aliases
from sr_lab.priors.spectral.family import Family, Gaussian
from sr_lab.priors.spectral.flow import FlowKernels
from sr_lab.priors.spectral.gaussian import GaussianBlurs
from sr_lab.priors.spectral.line import LineMotions
from sr_lab.priors.spectral.natural import belief
from sr_lab.priors.spectral.optical import OpticalBlurs
from sr_lab.priors.spectral.periodogram import Stripes, periodogram, sine_tapers
from sr_lab.priors.spectral.shape import covariance, render, shape_of
from sr_lab.priors.spectral.spectrum import log_spectrum, slope
from sr_lab.priors.spectral.whittle import fit, search

SHAPES = st.tuples(st.floats(-3, 1), st.floats(-1, 1), st.floats(-1, 1))


@settings(deadline=None)
@given(SHAPES)
def test_covariance_is_a_matrix_exponential_and_has_an_inverse(numbers: tuple[float, float, float]) -> None:
    a, b, c = numbers
    shape = torch.tensor(numbers, dtype=torch.float64)
    found = covariance(shape)
    np.testing.assert_allclose(found.numpy(), expm(np.array([[a + b, c], [c, a - b]])), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(shape_of(found), shape, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_rendered_kernels_have_the_covariance(scale: int) -> None:
    matrix = torch.tensor([[0.25, 0.06], [0.06, 0.16]], dtype=torch.float64)
    kernel = render(shape_of(matrix)[None], scale, 41)[0, 0].double()
    row, column = centre_of_mass(kernel[None, None])[0]
    y, x = torch.arange(41) - row, torch.arange(41) - column
    moments = [(kernel * x**2).sum(), (kernel * x * y[:, None]).sum(), (kernel * y[:, None] ** 2).sum()]
    wanted = matrix * scale**2
    torch.testing.assert_close(
        torch.stack(moments), torch.stack([wanted[0, 0], wanted[0, 1], wanted[1, 1]]), rtol=0.03, atol=0.02
    )


def test_sine_tapers_are_orthonormal() -> None:
    tapers = sine_tapers(50)
    torch.testing.assert_close(tapers @ tapers.mT, torch.eye(3, dtype=torch.float64))


def test_white_noise_has_its_variance_at_every_frequency() -> None:
    noise = 0.3 * torch.randn(500, 300, generator=torch.Generator().manual_seed(0))
    measured = periodogram(noise, side=32)
    assert measured.power.mean().item() == pytest.approx(0.09, rel=0.02)
    assert measured.tiles <= 64  # 146 would fit: the cost is bounded
    assert (measured.fx >= 0).all()
    assert len(measured.power) < 32 * 17


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_expected_spectrum_against_loops(scale: int) -> None:
    random = np.random.default_rng(scale)
    fy, fx = random.uniform(-0.5, 0.5, 7), random.uniform(0, 0.5, 7)
    shape = torch.tensor([-1.2, 0.3, -0.2], dtype=torch.float64)
    beta = np.array([-3.0, -2.3, -0.2, 0.1, -0.1, 0.2])
    parameters = torch.cat([shape, torch.tensor([*beta, math.log(1e-4)], dtype=torch.float64)])
    found = log_spectrum(
        parameters, aliases(torch.tensor(fy), torch.tensor(fx), scale), GaussianBlurs()
    ).exp()
    wanted = [
        expected(y, x, scale, covariance(shape).numpy(), beta, 1e-4) for y, x in zip(fy, fx, strict=True)
    ]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=2e-3)  # ours keeps log |f| finite at f = 0


FAMILIES: dict[str, tuple[Family, list[float]]] = {
    "gaussian": (GaussianBlurs(), [-1.2, 0.3, -0.2]),
    "line": (LineMotions(), [1.9, 0.7]),
    "optical": (OpticalBlurs(), [-0.1, 0.6, -1.5]),
    "flow": (FlowKernels("fkp_x3"), (0.3 * np.random.default_rng(0).standard_normal(225)).tolist()),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_slope_against_differences(name: str) -> None:
    family, shape = FAMILIES[name]
    parameters = torch.tensor([*shape, -3.0, -2.3, -0.2, 0.1, -0.1, 0.2, -9.0], dtype=torch.float64)
    fy, fx = torch.rand(2, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    at = aliases(fy, fx, 3)
    random = torch.Generator().manual_seed(1)
    directions = torch.randn(len(parameters), 12, generator=random, dtype=torch.float64)
    steps = 1e-6 * directions.mT
    differences = [
        (log_spectrum(parameters + s, at, family) - log_spectrum(parameters - s, at, family)) / 2e-6
        for s in steps
    ]
    found = slope(parameters, at, family) @ directions
    torch.testing.assert_close(found, torch.stack(differences, 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_gain_is_that_of_the_rendered_kernel(name: str) -> None:
    family, shape = FAMILIES[name]
    shape = torch.tensor(shape, dtype=torch.float64)
    random = np.random.default_rng(1)
    fy, fx = random.uniform(-0.5, 0.5, 6), random.uniform(0, 0.5, 6)
    kernel = family.render(shape[None], 3, 63 if name == "optical" else 15)[0, 0].numpy()
    gain = family.log_gain(shape, aliases(torch.tensor(fy), torch.tensor(fx), 3)).exp().numpy()
    for row, y, x in zip(gain, fy, fx, strict=True):
        wanted = [kernel_power(kernel, y + i, x + j, 3) for i in range(3) for j in range(3)]
        # of lines and Gaussians the continuous transform is taken: the lattice of pixels adds a little
        tolerance = {"flow": 1e-6, "gaussian": 5e-3, "line": 0.05, "optical": 0.01}[name]
        np.testing.assert_allclose(row, wanted, atol=tolerance)


@settings(deadline=None)
@given(st.floats(1, 9), st.floats(-7, 7))
def test_lines_are_symmetric_and_turn_by_half_a_turn_into_themselves(length: float, angle: float) -> None:
    lines = torch.tensor(
        [[math.log(length), angle], [math.log(length), angle + math.pi]], dtype=torch.float64
    )
    one, other = LineMotions().render(lines, 4, 19)[:, 0]
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(one[:16, :16], one[:16, :16].flip(0, 1))  # about 7.5, the anchor
    assert one.sum().item() == pytest.approx(1, abs=1e-5)


def test_blurred_white_noise_has_the_expected_spectrum() -> None:
    """The model's blur, aliasing and frequency axes are those of the degradation."""
    scale, hr = 2, torch.randn(1, 1, 600, 600, generator=torch.Generator().manual_seed(1))
    variance, theta = (
        torch.tensor([[4.0, 1.5]], dtype=torch.float64),
        torch.tensor([0.6], dtype=torch.float64),
    )
    lr = blur_decimate(hr, gaussian_kernels(variance, theta, scale=scale, size=21), scale)
    axis = torch.tensor([math.cos(0.6), math.sin(0.6)], dtype=torch.float64)
    across = torch.tensor([-axis[1], axis[0]], dtype=torch.float64)
    matrix = (4.0 * torch.outer(axis, axis) + 1.5 * torch.outer(across, across)) / scale**2
    measured = periodogram(lr[0, 0], side=40)
    flat = torch.zeros(TERMS, dtype=torch.float64)
    parameters = torch.cat([shape_of(matrix), flat, torch.tensor([-30.0], dtype=torch.float64)])
    # decimating white noise keeps its density per LR pixel: the mean, not the sum, of the s^2 aliases
    log_s = log_spectrum(parameters, aliases(measured.fy, measured.fx, scale), GaussianBlurs()) - math.log(
        scale**2
    )
    strong = log_s > math.log(1e-3)
    ratio = measured.power[strong].log() - log_s[strong]
    assert ratio.mean().abs() < 0.1  # of a steep spectrum, tapers leak a little
    assert ratio.std() < 0.35


def test_the_fit_finds_the_parameters_of_a_simulated_periodogram() -> None:
    random = torch.Generator().manual_seed(0)
    measured = periodogram(torch.rand(96, 96, generator=random))
    truth = torch.tensor(
        [-1.0, 0.25, -0.15, -3.0, -2.3, -0.2, 0.0, 0.1, 0.2, math.log(1e-5)], dtype=torch.float64
    )
    at = aliases(measured.fy, measured.fx, 3)
    exponential = -torch.rand(len(measured.power), 40, generator=random, dtype=torch.float64).log().mean(1)
    simulated = type(measured)(
        log_spectrum(truth, at, GaussianBlurs()).exp() * exponential, measured.fy, measured.fx, 40.0
    )
    prior = Gaussian(truth + 0.3, torch.diag(torch.full((10,), 1.0, dtype=torch.float64)))
    prior.precision[3:9, 3:9] *= 400  # the picture's spectrum is nearly known
    prior.mean[3:9] = truth[3:9]
    found = fit(simulated, 3, GaussianBlurs(), prior, prior.mean, temper=1.0)
    torch.testing.assert_close(found.parameters[:3], truth[:3], rtol=0, atol=0.08)
    assert found.covariance[0, 0].sqrt() < 0.1


def test_a_bank_of_starts_finds_a_line() -> None:
    random = torch.Generator().manual_seed(0)
    measured = periodogram(torch.rand(96, 96, generator=random))
    family, scale = LineMotions(), 4
    prior = belief(family.prior(scale))
    truth = prior.mean.clone()
    truth[:2] = torch.tensor([math.log(10.5), 2.2])
    exponential = -torch.rand(len(measured.power), 10, generator=random, dtype=torch.float64).log().mean(1)
    at = aliases(measured.fy, measured.fx, scale)
    power = log_spectrum(truth, at, family).exp() * exponential
    simulated = type(measured)(power, measured.fy, measured.fx, 10.0)
    starts = [torch.cat([start, prior.mean[2:]]) for start in family.starts(family.prior(scale))]
    found = search(simulated, scale, family, prior, starts, temper=0.5).parameters
    assert found[0].exp().item() == pytest.approx(10.5, abs=0.2)
    assert math.remainder(found[1].item() - 2.2, math.pi) == pytest.approx(0, abs=0.02)


def test_a_bank_of_starts_finds_a_defocus() -> None:
    random = torch.Generator().manual_seed(0)
    measured = periodogram(torch.rand(96, 96, generator=random), stripes="columns")
    family, scale = OpticalBlurs(), 4
    prior = belief(family.prior(scale))
    truth = prior.mean.clone()
    truth[:3] = torch.tensor([0.9, 4.3, 0.1]).log()
    exponential = -torch.rand(len(measured.power), 10, generator=random, dtype=torch.float64).log().mean(1)
    power = log_spectrum(truth, aliases(measured.fy, measured.fx, scale), family).exp() * exponential
    simulated = type(measured)(power, measured.fy, measured.fx, 10.0)
    starts = [torch.cat([start, prior.mean[3:]]) for start in family.starts(family.prior(scale))]
    found = search(simulated, scale, family, prior, starts, temper=0.5).parameters
    assert found[1].exp().item() == pytest.approx(4.3, abs=0.1)


@pytest.mark.parametrize(("stripes", "turn"), [("columns", False), ("rows", True), ("both", False)])
def test_stripes_reach_no_frequency_that_is_kept(stripes: Stripes, turn: bool) -> None:
    random = torch.Generator().manual_seed(0)
    scene = torch.rand(100, 120, generator=random)
    levels = 0.3 * torch.rand(1, 120, generator=random)
    striped, clean = (scene + levels, scene) if not turn else ((scene + levels).T, scene.T)
    with_them, without = (periodogram(image, stripes=stripes).power for image in (striped, clean))
    assert (with_them.log() - without.log()).abs().max() < 0.3  # side lobes of the tapers
    assert (periodogram(striped).power.log() - periodogram(clean).power.log()).abs().max() > 1
