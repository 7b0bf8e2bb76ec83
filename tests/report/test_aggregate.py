from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sr_lab.report.aggregate import Group, finite, group_runs
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


def test_weights_named_after_the_seed_are_seeds_too(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for seed, value in ((0, 20.0), (1, 22.0), (10, 30.0)):
        for kind in ("a", "b"):
            config = {"seed": seed, "backbone": {"weights": f"{kind}_x2_seed{seed}"}}
            where = f"{kind}{seed}"
            make_run(where, {"psnr_y": {"p": value}}, seed=seed, signature=where, config=config)
    assert [[run.record.seed for run in group.runs] for group in _groups(tmp_path)] == [[0, 1, 10]] * 2


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


def test_a_matrix_has_a_row_an_image_and_a_hole_where_a_seed_lacks_it(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    make_run("s0", {"psnr_y": {"a": 20.0, "b": 30.0}}, seed=0)
    make_run("s1", {"psnr_y": {"b": 32.0}}, seed=1)
    (group,) = _groups(tmp_path)
    matrix = group.estimates["psnr_y"].matrix(["b", "a"])
    np.testing.assert_array_equal(matrix, [[30.0, 32.0], [20.0, math.nan]])
