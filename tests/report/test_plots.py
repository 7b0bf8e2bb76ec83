from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from sr_lab.report.aggregate import group_runs
from sr_lab.report.collection import collect
from sr_lab.report.plots import image_by_image, quality_against_time
from sr_lab.report.table import Table, build_table
from sr_lab.tracking.record import ImageFiles


def _table(folder: Path) -> Table:
    return build_table(group_runs(collect(folder / "runs").runs))


def _dots(svg: str) -> list[tuple[float, float]]:
    nodes = [node for node in ElementTree.fromstring(svg) if node.tag == "circle"]
    return [(float(node.get("cx", "")), float(node.get("cy", ""))) for node in nodes]


def test_the_staircase_joins_what_nothing_beats(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for prior, value, seconds in (
        ("a", 20.0, 1.0),
        ("b", 19.0, 2.0),
        ("c", 25.0, 40.0),
        ("oracle", 30.0, 0.5),
    ):
        make_run(prior, {"psnr_y": {"x": value}}, labels={"prior": prior}, images={"x": ImageFiles(seconds)})
    (panel,) = quality_against_time(_table(tmp_path))
    (chart,) = panel.charts
    assert "(logarithmic)" in chart.title
    assert [entry.mark for entry in panel.legend] == ["1", "2", "3", "4"]
    a, b, c, oracle = _dots(chart.svg)
    assert oracle[0] < a[0] < b[0] < c[0]
    assert oracle[1] < c[1] < a[1] < b[1]  # SVG counts rows from the top
    (stairs,) = re.findall('class="equal" d="([^"]*)"', chart.svg)
    # the oracle was given the kernel: it beats nobody
    assert stairs == f"M{a[0]:.1f} {a[1]:.1f}H{c[0]:.1f}V{c[1]:.1f}H320"


def test_images_stand_against_the_baseline(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("f", {"psnr_y": {"a": 20.0, "b": 30.0, "only f": 1.0}})
    make_run("d", {"psnr_y": {"a": 24.0, "b": 30.0}}, labels={"prior": "dkp"})
    table = _table(tmp_path)
    (panel,) = image_by_image(table, [row for row in table.rows if row.title == "fkp"])
    (chart,) = panel.charts
    assert len(_dots(chart.svg)) == 2
    assert "a, dkp: 24.00 for 20.00" in chart.svg
    assert "dkp better on 1 of 2" in chart.svg
    assert [entry.name for entry in panel.legend] == ["dkp"]


def test_without_a_baseline_bicubic_is_one(make_run: Callable[..., Path], tmp_path: Path) -> None:
    values = {"a": 20.0, "b": 30.0}
    make_run("f", {"psnr_y": values, "psnr_y@bicubic": {"a": 19.0, "b": 31.0}})
    (panel,) = image_by_image(_table(tmp_path), [])
    assert "against bicubic" in panel.charts[0].title
    make_run("g", {"psnr_y": values}, labels={"dataset": "without"})
    assert len(image_by_image(_table(tmp_path), [])) == 1
