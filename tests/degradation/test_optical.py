"""Blur of a thermal camera: against the figures that optics textbooks give."""

import math

import numpy as np
import pytest
import torch
from scipy import special

from sr_lab.degradation.anchor import anchor_centre
from sr_lab.degradation.optical import OpticalKernels, optical_kernels
from sr_lab.errors import UserError


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def lwir(defocus: float, size: int = 127, detector: bool = True, scale: int = 4) -> np.ndarray:
    """F/1, 10 um, pixels of 12 um."""
    kernels = optical_kernels(
        numbers(10.0),
        numbers(1.0),
        numbers(defocus),
        numbers(0.0),
        pitch=12.0,
        scale=scale,
        size=size,
        detector=detector,
    )
    return kernels[0, 0].double().numpy()


@pytest.mark.parametrize(
    ("defocus", "size", "part"),
    [(0.0, 19, 0.934), (0.0, 31, 0.961), (0.0, 41, 0.970), (60.0, 19, 0.820), (60.0, 31, 0.953)],
)
def test_energy_within_a_window(defocus: float, size: int, part: float) -> None:
    """Figures of an F/1 lens at x4; one per cent of the energy lies outside of the 127 px that are summed here."""
    kernel = lwir(defocus)
    first = round(anchor_centre(127, 4, "block_center") - (size - 1) / 2)
    inside = kernel[first : first + size, first : first + size].sum()
    assert 0.99 * inside == pytest.approx(part, abs=0.008)


def test_without_detector_it_is_an_airy_pattern() -> None:
    kernel = lwir(0.0, detector=False, scale=5)  # odd: the centre falls on a pixel
    row = kernel[round(anchor_centre(127, 5, "block_center"))]
    centre = int(row.argmax())
    x = math.pi * (np.arange(len(row)) - centre) * (12 / 5) / 10
    with np.errstate(invalid="ignore", divide="ignore"):
        airy = np.where(x == 0, 1, (2 * special.j1(x) / x) ** 2)
    np.testing.assert_allclose(row / row.max(), airy, atol=2e-3)


def test_nothing_passes_the_cutoff() -> None:
    kernel = lwir(0.0, size=127)
    spectrum = np.abs(np.fft.fft2(kernel))
    frequency = np.fft.fftfreq(127, 3.0)
    radius = np.hypot(frequency[:, None], frequency)
    assert spectrum[radius > 0.1 + 0.01].max() < 0.01
    assert spectrum[radius < 0.02].min() > 0.3


@pytest.mark.parametrize("anchor", ["fkp", "block_center"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_kernels_sit_at_their_anchor(anchor: str, scale: int) -> None:
    sampler = OpticalKernels(scale, anchor=anchor)  # pyright: ignore[reportArgumentType]
    kernels = sampler.sample(3, torch.Generator().manual_seed(0)).double()
    assert kernels.shape == (3, 1, sampler.kernel_size, sampler.kernel_size)
    torch.testing.assert_close(kernels.sum((1, 2, 3)), torch.ones(3, dtype=torch.float64), atol=1e-5, rtol=0)
    assert bool((kernels >= 0).all())
    centre = anchor_centre(sampler.kernel_size, scale, anchor)  # pyright: ignore[reportArgumentType]
    place = torch.arange(sampler.kernel_size, dtype=torch.float64)
    profile = kernels.sum(2)[:, 0] ** 2  # the core, which the window does not cut
    torch.testing.assert_close(
        (profile * place).sum(1) / profile.sum(1), torch.full((3,), centre).double(), atol=0.02, rtol=0
    )


def test_defocus_and_jitter_widen() -> None:
    def core(**changed: float) -> float:
        values = {"wavelength": 10.0, "f_number": 1.0, "defocus": 0.0, "jitter": 0.0, **changed}
        kernel = optical_kernels(*map(numbers, values.values()), pitch=12.0, scale=4, size=63)
        return float(kernel.square().sum())

    sharp = core()
    assert core(defocus=60.0) < core(defocus=30.0) < sharp
    assert core(defocus=-30.0) == pytest.approx(core(defocus=30.0))
    assert core(jitter=6.0) < sharp
    assert core(f_number=1.4) < sharp


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"defocus": [5.0, 1.0]}, "defocus"), ({"size": 30}, "30"), ({"f_number": [0, 1]}, "f_number")],
)
def test_nonsense_is_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        OpticalKernels(4, **changed)  # pyright: ignore[reportArgumentType]
