"""Autofocus on targets whose phase is known."""

import math

import pytest
import torch

from sr_lab.degradation.band import in_band
from sr_lab.degradation.speckle import complex_noise
from sr_lab.methods.autofocus import AzimuthPhase, entropy, found_phase, without_phase
from sr_lab.metrics.point_target import point_response

WIDTH = 0.75


def sharp(side: int = 64) -> torch.Tensor:
    """Two points through a flat band."""
    k = in_band(side, WIDTH).double()
    place = torch.arange(side, dtype=torch.float64)[:, None]

    def line(at: float) -> torch.Tensor:
        return torch.exp(2j * math.pi * k / side * (place - at)).mean(1)

    return line(31.3)[:, None] * line(30.7) + 0.4j * line(40.0)[:, None] * line(47.5)


@pytest.mark.parametrize("phase", [AzimuthPhase(9.3, 0.0), AzimuthPhase(-4.4, 5.2), AzimuthPhase(0.6, -2.7)])
def test_a_known_phase_is_found_and_taken_off(phase: AzimuthPhase) -> None:
    image = sharp()
    blurred = without_phase(image, AzimuthPhase(-phase.quadratic, -phase.cubic), WIDTH)
    noisy = complex_noise(blurred[None], 20, torch.Generator().manual_seed(0))[0][0]
    assert entropy(blurred) > entropy(image) + 0.2
    for one, tolerance in ((blurred, 0.03), (noisy, 0.15)):
        found = found_phase(one, WIDTH)
        assert found.quadratic == pytest.approx(phase.quadratic, abs=tolerance)
        assert found.cubic == pytest.approx(phase.cubic, abs=tolerance)
    restored = without_phase(blurred, found_phase(blurred, WIDTH), WIDTH)
    assert entropy(restored).item() == pytest.approx(entropy(image).item(), rel=0.01)
    want, got = point_response(image)[0], point_response(restored)[0]
    assert got.width == pytest.approx(want.width, rel=0.02)
    assert got.pslr == pytest.approx(want.pslr, abs=0.3)


def test_entropy_is_that_of_its_shares() -> None:
    image = torch.zeros(4, 4, dtype=torch.complex128)
    image[0, 0], image[1, 1] = torch.tensor(3j), 4
    want = -(9 / 25 * math.log(9 / 25) + 16 / 25 * math.log(16 / 25))
    assert entropy(image).item() == pytest.approx(want)


def test_a_still_target_stays_as_it_is() -> None:
    found = found_phase(sharp(), WIDTH)
    assert found == pytest.approx((0, 0), abs=0.03)
