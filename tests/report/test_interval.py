"""Intervals against Student's, against a two-way analysis of variance, and in simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sr_lab.report.interval import interval


def _column(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


@pytest.mark.parametrize("images", [5, 14, 100])
def test_one_seed_of_normal_values_gives_students_interval(images: int) -> None:
    values = stats.norm(25, 3).ppf((np.arange(images) + 0.5) / images)  # as normal as so many values can be
    found = interval([(1.0, values[:, None])])
    assert found is not None
    student = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found == pytest.approx((student.low, student.high), abs=0.1 * (student.high - student.low) / 2)


def test_seeds_alone_give_students_interval_of_their_means() -> None:
    """Images that all behave alike leave nothing but the seeds."""
    shifts = np.array([-0.2, 0.1, 0.4, 0.0])
    found = interval([(1.0, np.full((10, 1), 25.0) + shifts)])
    student = stats.ttest_1samp(25 + shifts, 0).confidence_interval(0.95)
    assert found == pytest.approx((student.low, student.high), abs=0.02 * (student.high - student.low))


@pytest.mark.slow
def test_the_seeds_share_is_that_of_a_two_way_analysis_of_variance() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    formula = pytest.importorskip("statsmodels.formula.api", reason="statsmodels is not installed")
    from statsmodels.stats.anova import anova_lm

    from sr_lab.report.interval import _seed_error

    random = np.random.default_rng(2)
    matrix = random.normal(0, 1, (12, 1)) + random.normal(0, 0.8, 4) + random.normal(0, 0.5, (12, 4))
    images, seeds = np.indices(matrix.shape)
    data = pandas.DataFrame({"y": matrix.ravel(), "image": images.ravel(), "seed": seeds.ravel()})
    squares: Any = anova_lm(formula.ols("y ~ C(image) + C(seed)", data).fit())["mean_sq"]
    component = (float(squares["C(seed)"]) - float(squares["Residual"])) / 12
    assert component > 0
    assert _seed_error(matrix) == pytest.approx((component / 4) ** 0.5)


def test_what_an_image_does_to_both_cancels() -> None:
    random = np.random.default_rng(3)
    images = random.normal(25, 5, (20, 1))
    ours, theirs = images + 1 + random.normal(0, 0.1, (20, 1)), images + random.normal(0, 0.1, (20, 1))
    alone, together = interval([(1.0, ours)]), interval([(1.0, ours), (-1.0, theirs)])
    assert alone is not None
    assert together is not None
    assert alone[1] - alone[0] > 20 * (together[1] - together[0])
    assert together[0] < 1 < together[1]


def test_few_images_have_none_and_equal_ones_no_width() -> None:
    assert interval([(1.0, _column([1.0, 2.0]))]) is None
    assert interval([(1.0, np.full((4, 3), 25.0))]) == (25.0, 25.0)


def test_holes_are_left_out() -> None:
    whole = np.random.default_rng(4).normal(0, 1, (8, 2))
    holed = np.vstack([whole, [[0.5, math.nan]]])
    found = interval([(1.0, holed)])
    assert found is not None
    assert all(math.isfinite(bound) for bound in found)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=3, max_size=12), st.floats(-50, 50), st.floats(0.1, 10))
def test_moves_and_scales_with_the_values(values: list[float], shift: float, factor: float) -> None:
    found, moved = interval([(1.0, _column(values))]), interval([(factor, _column(values) + shift)])
    assert found is not None
    assert moved is not None
    assert found[0] <= np.mean(values) + 1e-9
    assert found[1] >= np.mean(values) - 1e-9
    assert moved == pytest.approx([factor * (bound + shift) for bound in found], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("images", [5, 14, 100])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize(
    ("of_image", "of_seed", "noise"), [(3.0, 0.1, 0.3), (0.3, 0.0, 0.3), (0.3, 0.2, 0.1), (0.1, 0.3, 0.1)]
)
def test_coverage_in_simulation(
    images: int, seeds: int, of_image: float, of_seed: float, noise: float
) -> None:
    """1000 studies each: it holds the truth in 95 % of them, where one seed can know no spread of seeds."""
    random = np.random.default_rng(5)
    of_seed *= seeds > 1
    held = 0
    for _ in range(1000):
        values = random.normal(0, of_image, (images, 1)) + random.normal(0, of_seed, seeds)
        low, high = interval([(1.0, values + random.normal(0, noise, (images, seeds)))]) or (1, -1)
        held += low <= 0 <= high
    print(f"{images} images, {seeds} seeds, sd {of_image}/{of_seed}/{noise}: {held / 10:.1f} %")
    assert 0.92 <= held / 1000 <= 0.995
