from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sr_lab.report.charts import line_class
from sr_lab.report.traces import draw_charts, read_trace


def _points(svg: str) -> list[list[tuple[float, float]]]:
    """Coordinates of every line."""
    paths = [node for node in ElementTree.fromstring(svg) if "line" in (node.get("class") or "")]
    numbers = [[float(x) for x in re.findall(r"[\d.]+", path.get("d", ""))] for path in paths]
    return [list(zip(line[::2], line[1::2], strict=False)) for line in numbers]


def test_reads_columns_and_takes_what_is_no_number_as_missing(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("iteration,loss,psnr_y\n0,1.5,\n10,oops,20\n20,0.5\n", encoding="utf-8")
    trace = read_trace(path)
    assert trace["iteration"] == [0, 10, 20]
    assert trace["loss"][0] == 1.5
    assert [math.isnan(value) for value in trace["loss"]] == [False, True, False]
    assert [math.isnan(value) for value in trace["psnr_y"]] == [True, False, True]
    path.write_text("step,loss\n0,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="iteration"):
        read_trace(path)


def test_one_chart_per_column_and_one_line_per_run() -> None:
    first = {"iteration": [0.0, 10.0, 20.0], "loss": [4.0, 2.0, 1.0], "psnr_y": [20.0, 25.0, 26.0]}
    second = {"iteration": [0.0, 10.0, 20.0], "loss": [3.0, 2.0, math.nan]}
    charts = draw_charts([("a", 0, first), ("b", 7, second)])
    assert [chart.title for chart in charts] == ["Loss against iteration", "PSNR Y against iteration"]
    lines = _points(charts[0].svg)
    assert [len(line) for line in lines] == [3, 2]
    (x0, y0), (x1, y1), (x2, y2) = lines[0]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y1 - y0 == pytest.approx(2 * (y2 - y1), abs=0.3)  # downwards: SVG counts rows from the top
    assert y0 < y1 < y2
    assert lines[0][1] == lines[1][1]
    assert 'class="line s1 dashed"' in charts[0].svg
    assert line_class(0) == "s0"


def test_a_wide_range_is_logarithmic() -> None:
    trace = {"iteration": [0.0, 1.0, 2.0], "loss": [10.0, 1.0, 0.1]}
    (chart,) = draw_charts([("a", 0, trace)])
    assert chart.title == "Loss (logarithmic) against iteration"
    (line,) = _points(chart.svg)
    assert line[1][1] - line[0][1] == pytest.approx(line[2][1] - line[1][1], abs=0.2)
    negative = {"iteration": [0.0, 1.0], "loss": [-10.0, 1000.0]}
    assert draw_charts([("a", 0, negative)])[0].title == "Loss against iteration"


def test_long_traces_are_thinned_and_keep_their_end() -> None:
    trace = {"iteration": [float(i) for i in range(5000)], "loss": [float(i) for i in range(5000)]}
    (chart,) = draw_charts([("a", 0, trace)])
    (line,) = _points(chart.svg)
    assert 100 <= len(line) <= 202
    assert line[-1] == (320.0, 8.0)


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0], [0.0, 0.0]])
def test_constant_and_single_values_can_be_drawn(values: list[float]) -> None:
    trace = {"iteration": [float(i) for i in range(len(values))], "loss": values}
    (chart,) = draw_charts([("a", 0, trace)])
    assert "nan" not in chart.svg


def test_empty_columns_have_no_chart_and_names_are_escaped() -> None:
    trace = {"iteration": [0.0, 1.0], "loss": [math.nan, math.inf], '<b>"x': [1.0, 2.0]}
    (chart,) = draw_charts([("<script>", 0, trace)])
    ElementTree.fromstring(chart.svg)
    assert "<script" not in chart.svg
    assert "<b>" not in chart.svg
