import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sr_lab.degradation.speckle import circular_gaussian, speckle
from sr_lab.losses.radar import fisher_tippett, half_gaussian, log_ratio_l1, radiometry


def keyed(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def least(loss: Callable[[Tensor], Tensor], shifts: torch.Tensor) -> float:
    """Where a loss of a shift is least."""
    return float(shifts[torch.stack([loss(shift) for shift in shifts]).argmin()])


def test_fisher_tippett_is_the_gamma_likelihood_of_intensity():
    v, u = torch.randn(2, 2, 1, 8, 8, generator=keyed(), dtype=torch.float64)
    gamma = (v + (u - v).exp()).mean((1, 2, 3))  # ln mu + y/mu
    torch.testing.assert_close(fisher_tippett(v, u) + u.mean((1, 2, 3)), gamma)


@pytest.mark.parametrize("looks", [1, 4])
def test_fisher_tippett_is_least_at_the_mean_and_l1_at_the_median(looks: int):
    truth = 3.0
    flat = torch.full((1, 1, 256, 256), truth, dtype=torch.float64)
    u = (truth * speckle(flat, looks, keyed())).log()
    shifts = torch.linspace(-1, 1, 201, dtype=torch.float64)
    found = least(lambda shift: fisher_tippett(flat.log() + shift, u)[0], shifts)
    assert found == pytest.approx(0, abs=0.015)
    median = least(lambda shift: (flat.log() + shift - u).abs().mean(), shifts)
    assert median == pytest.approx(math.log(math.log(2)) if looks == 1 else -0.085, abs=0.02)


def test_merlin_is_least_at_the_true_reflectivity():
    reflectivity = torch.tensor([0.1, 1.0, 20.0], dtype=torch.float64).repeat_interleave(200)
    rows = reflectivity[:, None].expand(600, 200)
    z = circular_gaussian(torch.empty(600, 200, dtype=torch.complex128), keyed()) * rows.sqrt()
    shifts = torch.linspace(-1, 1, 201, dtype=torch.float64)
    for start in (0, 200, 400):
        part = slice(start, start + 200)
        log, b = rows[part].log()[None, None], z[part].imag[None, None]
        assert least(lambda shift, log=log, b=b: half_gaussian(log + shift, b)[0], shifts) == pytest.approx(
            0, abs=0.025
        )
    v, b = torch.tensor([[[[0.3]]]]), torch.tensor([[[[0.7]]]])
    assert half_gaussian(v, b).item() == pytest.approx(0.15 + 0.49 / math.exp(0.3), rel=1e-6)


def test_log_ratio_against_loops_and_blind_to_gain():
    v, u = torch.randn(2, 1, 1, 12, 11, generator=keyed(), dtype=torch.float64)

    def ratios(image: np.ndarray) -> np.ndarray:
        power, out = np.exp(image), []
        for y in range(4, image.shape[0] - 4):
            for x in range(4, image.shape[1] - 4):
                for direction in ((0, 1), (1, 0), (1, 1), (1, -1)):
                    means = []
                    for sign in (1, -1):
                        total = weights = 0.0
                        for dy in range(-4, 5):
                            for dx in range(-4, 5):
                                along = (
                                    sign * (direction[0] * dy + direction[1] * dx) / math.hypot(*direction)
                                )
                                if along > 0.5:
                                    weight = 0.7 ** max(abs(dy), abs(dx))
                                    total += weight * power[y + dy, x + dx]
                                    weights += weight
                        means.append(total / weights)
                    out.append(math.log(means[0] / means[1]))
        return np.array(out)

    expected = np.abs(ratios(v[0, 0].numpy()) - ratios(u[0, 0].numpy())).mean()
    assert log_ratio_l1(v, u).item() == pytest.approx(expected, rel=1e-9)
    torch.testing.assert_close(log_ratio_l1(v + 2, u), log_ratio_l1(v, u))


def test_radiometry_sees_mean_intensity_alone():
    u = torch.randn(1, 1, 32, 32, generator=keyed(), dtype=torch.float64)
    mixed = u.reshape(1, 1, 2, 16, 2, 16).flip(3).flip(5).reshape(u.shape)
    assert radiometry(mixed, u).item() == pytest.approx(0, abs=1e-12)
    assert radiometry(u + 0.25, u).item() == pytest.approx(0.25)
