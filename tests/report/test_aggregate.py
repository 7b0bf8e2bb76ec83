from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sr_lab.report.aggregate import Group, bootstrap_interval, finite, group_runs
from sr_lab.report.collection import collect
from sr_lab.tracking.record import Measures


def _groups(folder: Path) -> list[Group]:
    return group_runs(collect(folder / "runs").runs)


def test_seeds_are_repetitions_of_one_group(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("s0", {"psnr_y": {"a": 20.0, "b": 30.0}}, seed=0)
    make_run("s1", {"psnr_y": {"a": 22.0, "b": 34.0}}, seed=1)
    make_run("s2", {"psnr_y": {"a": 24.0, "b": 32.0}}, seed=2)
    make_run("other", {"psnr_y": {"a": 1.0, "b": 2.0}}, labels={"prior": "dkp"})
    other, group = _groups(tmp_path)
    estimate = group.estimates["psnr_y"]
    assert [run.record.seed for run in group.runs] == [0, 1, 2]
    assert estimate.per_image == pytest.approx({"a": 22.0, "b": 32.0})
    assert estimate.mean == pytest.approx(27.0)
    # means of the seeds are 25, 28, 28: their mean is 27 and the squares of the differences sum to 4 + 1 + 1
    assert estimate.spread == pytest.approx(3**0.5)
    assert estimate.by_seed[1] == {"a": 22.0, "b": 34.0}
    assert other.estimates["psnr_y"].spread is None
    assert other.labels["prior"] == "dkp"


def test_values_may_be_missing(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("s0", {"psnr_y": {"a": 20.0, "b": 30.0}}, seed=0)
    make_run("s1", {"psnr_y": {"a": 22.0, "c": 50.0}}, seed=1)
    (group,) = _groups(tmp_path)
    estimate = group.estimates["psnr_y"]
    assert estimate.per_image == pytest.approx({"a": 21.0, "b": 30.0, "c": 50.0})
    assert estimate.mean == pytest.approx(101 / 3)
    # only `a` was measured by both: otherwise the spread would be about images, not seeds
    assert estimate.spread == pytest.approx(2**0.5)
    assert group.image_ids == ["a", "b", "c"]


def test_seeds_without_a_common_image_have_no_spread(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("s0", {"psnr_y": {"a": 20.0}}, seed=0)
    make_run("s1", {"psnr_y": {"b": 30.0}}, seed=1)
    (group,) = _groups(tmp_path)
    assert group.estimates["psnr_y"].spread is None


def test_a_metric_of_the_whole_set_has_a_mean_and_no_interval(
    make_run: Callable[..., Path], measures: Callable[..., Measures], tmp_path: Path
) -> None:
    for seed, mean in enumerate((10.0, 14.0)):
        make_run(f"s{seed}", {"fid": measures({}, mean=mean)}, seed=seed)
    (group,) = _groups(tmp_path)
    estimate = group.estimates["fid"]
    assert (estimate.mean, estimate.interval, estimate.per_image) == (12.0, None, {})
    assert estimate.spread == pytest.approx(8**0.5)


def test_only_values_that_are_there_count() -> None:
    assert finite({"a": 1.0, "b": None, "c": math.nan, "d": math.inf}) == {"a": 1.0}


def test_seconds_are_per_image_and_memory_is_the_peak(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("s0", peak_memory_mb=100.0)
    make_run("s1", seed=1, peak_memory_mb=300.0, images={})
    (group,) = _groups(tmp_path)
    assert group.seconds_per_image == pytest.approx(1.5)
    assert group.peak_memory_mb == 300.0


def _bca_by_enumeration(values: list[float]) -> tuple[float, float]:
    """Efron's BCa interval of the mean from all n^n resamples, without chance."""
    normal, x = NormalDist(), np.array(values)
    means = np.array(list(product(values, repeat=len(values)))).mean(axis=1)
    below, equal = (means < x.mean() - 1e-12).mean(), (np.abs(means - x.mean()) <= 1e-12).mean()
    bias = normal.inv_cdf(float(below + equal / 2))
    left_out = np.array([np.delete(x, i).mean() for i in range(len(x))])
    pull = left_out.mean() - left_out
    acceleration = (pull**3).sum() / (6 * (pull**2).sum() ** 1.5)
    ends = []
    for level in (0.025, 0.975):
        z = bias + normal.inv_cdf(level)
        ends.append(float(np.quantile(means, normal.cdf(bias + z / (1 - acceleration * z)))))
    return ends[0], ends[1]


@pytest.mark.parametrize("values", [[20.0, 21.5, 24.3, 26.1, 33.0, 27.4], [0.7, 0.71, 0.9, 0.2, 0.8, 0.75]])
def test_interval_agrees_with_all_resamples(values: list[float]) -> None:
    interval = bootstrap_interval(values)
    assert interval == pytest.approx(_bca_by_enumeration(values), abs=0.02 * np.ptp(values))


def test_interval_needs_two_images_and_is_the_same_every_time() -> None:
    assert bootstrap_interval([]) is None
    assert bootstrap_interval([25.0]) is None
    assert bootstrap_interval([25.0, 25.0, 25.0]) == (25.0, 25.0)
    assert bootstrap_interval([1.0, 2.0, 4.0]) == bootstrap_interval([1.0, 2.0, 4.0])


@settings(max_examples=50, deadline=None)
@example([1.0, 99.85739668630472, -42.893051260662624, 0.0], -1.4261686048979882)  # rounding breaks ties
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=12), st.floats(-50, 50))
def test_interval_lies_within_the_values_and_moves_with_them(values: list[float], shift: float) -> None:
    interval = bootstrap_interval(values)
    moved = bootstrap_interval([value + shift for value in values])
    assert interval is not None
    assert moved is not None
    assert min(values) - 1e-9 <= interval[0] <= interval[1] <= max(values) + 1e-9
    if np.ptp(values) > 1e-3:  # below, adding the shift rounds the values themselves away
        assert moved == pytest.approx((interval[0] + shift, interval[1] + shift), abs=1e-6 * np.ptp(values))
