"""Paired comparisons against scipy, statsmodels' Holm by hand, and simulation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_lab.errors import UserError
from sr_lab.report.aggregate import bootstrap_interval, group_runs
from sr_lab.report.collection import collect
from sr_lab.report.paired import compare, find_baseline, holm, sign_flip_p
from sr_lab.report.render import write_report


def _by_enumeration(differences: list[float]) -> float:
    """Share of all sign patterns whose mean is at least as far from zero."""
    means = [abs(np.mean(np.multiply(d, differences))) for d in product((1, -1), repeat=len(differences))]
    return float(np.mean(np.asarray(means) >= abs(np.mean(differences)) * (1 - 1e-9)))


@given(st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=8))
def test_p_is_the_share_of_all_sign_patterns(differences: list[float]) -> None:
    assert sign_flip_p(differences) == pytest.approx(_by_enumeration(differences))


def test_holm_steps_down() -> None:
    # 0.01 x 4, 0.02 x 3 = 0.06, then 0.03 x 2 = 0.06, and 0.9: a step never falls
    assert holm([0.03, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_and_keeps_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(c >= p for c, p in zip(corrected, p_values, strict=True))
    assert max(corrected) <= 1
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.asarray(corrected)[order]) >= 0)


def test_a_difference_is_taken_on_shared_images_over_seed_means(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    make_run("f0", {"psnr_y": {"a": 20.0, "b": 30.0, "c": 1.0}})
    make_run("f1", {"psnr_y": {"a": 22.0, "b": 30.0, "c": 1.0}}, seed=1)
    make_run("d0", {"psnr_y": {"a": 24.0, "b": 32.0, "z": 9.0}}, labels={"prior": "dkp"})
    groups = group_runs(collect(tmp_path / "runs").runs)
    (baseline,) = find_baseline(groups, {"prior": "fkp"})
    (one,) = compare(groups, baseline, ["psnr_y"])
    assert one.images == 2
    assert one.difference == pytest.approx(2.5)  # 24 - 21 and 32 - 30
    assert one.better is True
    assert one.p == one.p_holm == 0.5  # 2 of 4 sign patterns
    assert one.effect == pytest.approx(2.5 / np.std([3, 2], ddof=1))


def test_a_baseline_that_is_not_there_is_an_error_with_the_choices(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    make_run("a")
    with pytest.raises(UserError, match="no configuration has prior=gan") as caught:
        find_baseline(group_runs(collect(tmp_path / "runs").runs), {"prior": "gan"})
    assert "prior=fkp" in str(caught.value)


def test_the_report_tells_better_from_not_shown(make_run: Callable[..., Path], tmp_path: Path) -> None:
    images = {f"i{n}": 20.0 + n for n in range(8)}
    make_run("f", {"psnr_y": images})
    make_run(
        "d",
        {"psnr_y": {k: v + 1 + 0.01 * n for n, (k, v) in enumerate(images.items())}},
        labels={"prior": "dkp"},
    )
    wavering = {k: v + (-1) ** n for n, (k, v) in enumerate(images.items())}
    make_run("s", {"psnr_y": wavering}, labels={"prior": "softmax"})
    report = write_report(tmp_path / "runs", baseline={"prior": "fkp"})
    for text in (report.markdown.read_text(), report.html.read_text()):
        assert "Compared with prior=fkp" in text
        assert "no difference shown" in text
        assert "0.0156" in text  # 2 / 2^8, twice by Holm
    assert "| dkp |" in report.markdown.read_text()
    with pytest.raises(UserError, match="configurations of a block"):
        write_report(tmp_path / "runs", baseline={"method": "zero_shot"})


@pytest.mark.slow
def test_false_positives_and_coverage_in_simulation() -> None:
    """1000 studies of 20 images: 5 % false positives, 95 % coverage, within what chance allows."""
    random = np.random.default_rng(0)
    rejected = covered = 0
    for _ in range(1000):
        differences = random.normal(0, 1, 20)
        p = sign_flip_p(list(differences))
        interval = bootstrap_interval(list(differences))
        assert p is not None
        assert interval is not None
        rejected += p < 0.05
        covered += interval[0] <= 0 <= interval[1]
    assert 0.03 <= rejected / 1000 <= 0.07
    assert 0.90 <= covered / 1000 <= 0.97  # BCa of 20 values is known to cover a little less than it says
