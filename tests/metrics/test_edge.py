"""Slanted edges whose transfer function is known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from sr_lab.errors import UserError
from sr_lab.metrics.edge import slanted_edge
from sr_lab.metrics.table import evaluate


def gaussian_edge(sigma: float, degrees: float, height: int = 80, width: int = 90) -> np.ndarray:
    """A step blurred by a Gaussian, sampled at points."""
    y, x = np.mgrid[:height, :width]
    angle = math.radians(degrees)
    distance = (x - width / 2 - 0.3) * math.cos(angle) - (y - height / 2) * math.sin(angle)
    return 100 + 50 * erf(distance / sigma / math.sqrt(2))


@given(st.floats(0.5, 2.5), st.floats(2, 12), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=30, deadline=None)
def test_gaussian(sigma: float, degrees: float, left: bool, level: bool, falling: bool) -> None:
    image = gaussian_edge(sigma, -degrees if left else degrees)
    image = (image.T if level else image) * (-1 if falling else 1)
    edge = slanted_edge(image)
    assert edge.mtf50 == pytest.approx(math.sqrt(math.log(2) / 2) / (math.pi * sigma), rel=0.03)
    assert edge.angle == pytest.approx(degrees, abs=0.1)
    below = edge.frequencies < min(0.5, 0.35 / sigma)
    expected = np.exp(-2 * (math.pi * sigma * edge.frequencies) ** 2)
    np.testing.assert_allclose(edge.mtf[below], expected[below], atol=0.02)


def test_noise_moves_it_little() -> None:
    image = gaussian_edge(1.2, 5) + np.random.default_rng(0).normal(0, 0.5, (80, 90))
    assert slanted_edge(image).mtf50 == pytest.approx(0.1874 / 1.2, rel=0.06)


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (np.full((60, 60), 7, np.uint8), "flat"),
        (gaussian_edge(1, 30), "30.0 degrees off"),
        (gaussian_edge(1, 0.1), "0.1 degrees off"),
        (np.random.default_rng(0).random((60, 60)), "no straight edge"),
        (gaussian_edge(1, 5)[:15], "less than 20 rows"),
    ],
)
def test_what_is_no_slanted_edge(image: np.ndarray, told: str) -> None:
    with pytest.raises(UserError, match=told):
        slanted_edge(image)


def test_it_is_a_metric_of_images_of_one_edge() -> None:
    edges = np.stack([gaussian_edge(sigma, 5) for sigma in (1.0, 2.0)])[:, None] / 255
    found = evaluate(["mtf50"], sr=torch.from_numpy(edges).float(), scale=2)
    assert found.measured["mtf50"].values == pytest.approx([0.1874, 0.0937], rel=0.03)
    none = evaluate(["mtf50"], sr=torch.full((1, 1, 40, 40), 0.5), scale=2)
    assert not none.measured
    assert "mtf50 left out: there is no straight edge" in none.notes[0]
