"""Paired comparisons against scipy, statsmodels and simulation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from sr_lab.errors import UserError
from sr_lab.report.aggregate import Estimate, group_runs
from sr_lab.report.collection import collect
from sr_lab.report.paired import compare, contrast, correct, find_baseline, holm, sign_flip_p
from sr_lab.report.render import write_report


def _by_enumeration(differences: list[float]) -> float:
    """Share of all sign patterns whose mean is at least as far from zero."""
    means = [abs(np.mean(np.multiply(d, differences))) for d in product((1, -1), repeat=len(differences))]
    return float(np.mean(np.asarray(means) >= abs(np.mean(differences)) * (1 - 1e-9)))


@given(st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=8))
def test_p_is_the_share_of_all_sign_patterns(differences: list[float]) -> None:
    assert sign_flip_p(differences) == pytest.approx(_by_enumeration(differences))


@pytest.mark.parametrize("images", [3, 9, 13, 14, 60])
def test_p_agrees_with_scipy(images: int) -> None:
    differences = np.random.default_rng(images).normal(0.3, 1, images)
    found = permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(1)
    )
    assert sign_flip_p(list(differences)) == pytest.approx(
        found.pvalue, abs=1e-9 if images < 14 else 3 * (0.25 / 9999) ** 0.5
    )


@pytest.mark.slow
def test_holm_agrees_with_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed")
    random = np.random.default_rng(0)
    for number in (1, 2, 5, 12):
        p_values = list(random.random(number) ** 3)
        assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1])


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
    found = one.contrast
    assert found.images == 2
    assert found.difference == pytest.approx(2.5)  # 24 - 21 and 32 - 30
    assert found.better is True
    assert found.p == found.p_holm == 0.5  # 2 of 4 sign patterns
    assert found.effect == pytest.approx(2.5 / np.std([3, 2], ddof=1))
    assert not found.could_show


def test_a_baseline_that_is_not_there_is_an_error_with_the_choices(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    make_run("a")
    make_run("b", labels={"start": "spectral"}, signature="b" * 16)
    (cold,) = find_baseline(group_runs(collect(tmp_path / "runs").runs), {"prior": "fkp", "start": "none"})
    assert "start" not in cold.labels
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


def test_a_setting_can_be_the_baseline(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for steps in (20, 60):
        make_run(f"n{steps}", config={"method": {"iterations": steps}}, signature=f"{steps:016}")
    groups = group_runs(collect(tmp_path / "runs").runs)
    (found,) = find_baseline(groups, {"prior": "fkp", "method.iterations": "60"})
    assert found.signature.endswith("60")


def test_seeds_that_scatter_more_than_the_difference_hold_the_verdict_back(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    images = {f"i{n}": float(v) for n, v in enumerate(random.normal(25, 3, 12))}
    make_run("a", {"psnr_y": images})
    for seed, shift in enumerate(
        (0.1, 0.3, 1.1)
    ):  # every image is better with every seed, by how much is luck
        values = {k: v + shift + float(random.normal(0, 0.02)) for k, v in images.items()}
        make_run(f"b{seed}", {"psnr_y": values}, labels={"prior": "dkp"}, seed=seed)
    groups = group_runs(collect(tmp_path / "runs").runs)
    (baseline,) = find_baseline(groups, {"prior": "fkp"})
    (one,) = compare(groups, baseline, ["psnr_y"])
    assert one.contrast.p is not None
    assert one.contrast.p < 0.001
    assert not one.contrast.beyond_seeds
    assert not one.contrast.significant
    text = write_report(tmp_path / "runs", baseline={"prior": "fkp"}).markdown.read_text(encoding="utf-8")
    assert "within the spread of seeds" in text


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "spread"), [(1, 0.0), (3, 0.0), (3, 0.15)])
def test_false_positives_in_simulation(seeds: int, spread: float) -> None:
    """1000 studies of 20 images and two equal methods, with and without effects of seeds as such."""
    random = np.random.default_rng(0)
    rejected = 0
    for _ in range(1000):
        pair = [_simulated(random, 20, seeds, spread) for _ in range(2)]
        made = contrast([(1.0, pair[0]), (-1.0, pair[1])])
        assert made is not None
        rejected += correct([made])[0].significant
    print(f"{seeds} seeds, sd of seeds {spread}: {rejected / 10:.1f} % false positives")
    # at least some, and not more than 5 % and what chance adds (three standard errors are 2 %)
    assert rejected / 1000 <= 0.07
    assert rejected / 1000 >= (0.03 if seeds == 1 else 0.005)


@pytest.mark.slow
def test_holm_keeps_the_family_at_its_level() -> None:
    """1000 studies of four methods equal to the baseline: in at most 5 % one of them is called different."""
    random = np.random.default_rng(1)
    wrong = 0
    for _ in range(1000):
        baseline, *others = (_simulated(random, 20, 1, 0.0) for _ in range(5))
        made = [contrast([(1.0, other), (-1.0, baseline)]) for other in others]
        wrong += any(one.significant for one in correct([one for one in made if one is not None]))
    print(f"four comparisons: in {wrong / 10:.1f} % of the studies one false positive or more")
    assert wrong / 1000 <= 0.07


def _simulated(random: np.random.Generator, images: int, seeds: int, spread: float) -> Estimate:
    """One method: a method's own liking for each image, an effect of each seed, and noise."""
    values = random.normal(0, 0.3, (images, 1)) + random.normal(0, spread, seeds)
    values = values + random.normal(0, 0.2, (images, seeds))
    by_seed = {seed: {f"i{n}": float(v) for n, v in enumerate(values[:, seed])} for seed in range(seeds)}
    per_image = {f"i{n}": float(v) for n, v in enumerate(values.mean(axis=1))}
    return Estimate(float(values.mean()), None, None, per_image, by_seed, "dB", True, ("Y",))
