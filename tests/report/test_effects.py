"""Main effects and interactions, against sums of a balanced linear model done by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from sr_lab.report.aggregate import group_runs
from sr_lab.report.collection import collect
from sr_lab.report.effects import Grid, find_grids
from sr_lab.report.render import write_report
from sr_lab.report.table import build_table

IMAGES = [f"i{n}" for n in range(8)]


def _values(prior: str, steps: int) -> dict[str, float]:
    """fkp gains 2, more steps gain 1, both together 0.5 beyond that; an image's own 0 to 7 cancels."""
    gain = 2.0 * (prior == "fkp") + 1.0 * (steps == 60) + 0.5 * (prior == "fkp" and steps == 60)
    return {image: 20.0 + n + gain + 0.01 * n * (steps == 60) for n, image in enumerate(IMAGES)}


@pytest.fixture
def make_grid(make_run: Callable[..., Path], tmp_path: Path) -> Callable[..., list[Grid]]:
    def make(*left_out: tuple[str, int]) -> list[Grid]:
        for prior, steps in product(("dip", "fkp"), (100, 60)):
            if (prior, steps) not in left_out:
                make_run(
                    f"{prior}{steps}",
                    {"psnr_y": _values(prior, steps)},
                    labels={"prior": prior},
                    config={"method": {"iterations": steps}},
                    signature=f"{steps:016}",
                )
        return find_grids(build_table(group_runs(collect(tmp_path / "runs").runs)))

    return make


def _found(grid: Grid) -> Iterator[tuple[str, float, str]]:
    ((_, lines),) = grid.effects
    for line in lines:
        yield line.effect, float(line.difference.split()[0].replace("\N{MINUS SIGN}", "-")), line.verdict


def test_effects_are_those_that_were_put_in(make_grid: Callable[..., list[Grid]]) -> None:
    (grid,) = make_grid()
    assert grid.factors == {"prior": ["dip", "fkp"], "method.iterations": ["60", "100"]}  # levels as numbers
    steps = -(1 + 0.25 + 0.01 * np.mean(range(8)))
    assert list(_found(grid)) == [
        ("prior: dip → fkp", pytest.approx(2.25), "better"),
        ("method.iterations: 60 → 100", pytest.approx(steps, abs=1e-3), "worse"),
        ("prior fkp × method.iterations 100", pytest.approx(-0.5), "worse"),  # noqa: RUF001
    ]
    ((chart,),) = [interaction.charts for interaction in grid.interactions]
    assert "dip: 60 24.54, 100 23.5; fkp: 60 27.04, 100 25.5" in str(chart.svg)


def test_a_hole_in_the_grid_is_named_and_no_effect_made_up(make_grid: Callable[..., list[Grid]]) -> None:
    (grid,) = make_grid(("fkp", 60))
    assert grid.missing == ["fkp · 60"]
    assert not grid.effects
    assert not grid.interactions


def test_the_report_has_them(make_grid: Callable[..., list[Grid]], tmp_path: Path) -> None:
    make_grid()
    report = write_report(tmp_path / "runs")
    for text in (report.html.read_text("utf-8"), report.markdown.read_text("utf-8")):
        assert "Main effects and interactions" in text
        assert "prior: dip → fkp" in text


def test_one_factor_is_no_grid(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for prior in ("a", "b", "c"):
        make_run(prior, labels={"prior": prior})
    assert find_grids(build_table(group_runs(collect(tmp_path / "runs").runs))) == []
