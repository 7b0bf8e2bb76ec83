"""The course of an optimisation as small line charts: inline SVG that takes its colours from the page."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from sr_lab.report.wording import metric_title

_WIDTH, _HEIGHT = 340, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 20, 8, 24
_POINTS = 200
_LOG_FROM = 100  # ratio of greatest to least value from which a logarithmic axis shows more
STYLES = 6  # line colours of the page's style sheet; then dashes begin

Trace = dict[str, list[float]]


@dataclass(frozen=True)
class Chart:
    """One quantity of one image against the iteration, a line per run."""

    title: str
    svg: Markup


def read_trace(path: Path) -> Trace:
    """Read the columns of a trace; a cell that is no number is NaN.

    Raises:
        ValueError: no column `iteration`.
        OSError: the file cannot be read.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "iteration" not in rows[0]:
        raise ValueError("no column `iteration`")
    return {name: [_float(row.get(name)) for row in rows] for name in rows[0] if name}


def draw_charts(traces: Sequence[tuple[str, int, Trace]]) -> list[Chart]:
    """Draw one chart per column that any trace has.

    Args:
        traces: (name of the run, number of its line style, columns).
    """
    columns = dict.fromkeys(name for _, _, trace in traces for name in trace if name != "iteration")
    charts = []
    for column in columns:
        lines = [(name, style, _points(trace, column)) for name, style, trace in traces if column in trace]
        lines = [(name, style, points) for name, style, points in lines if points]
        if lines:
            charts.append(_chart(metric_title(column), lines))
    return charts


def line_class(style: int) -> str:
    """CSS classes of a line: colours first, then the same colours dashed."""
    return f"s{style % STYLES}" + (" dashed" if style // STYLES % 2 else "")


def _points(trace: Trace, column: str) -> list[tuple[float, float]]:
    points = [(x, y) for x, y in zip(trace["iteration"], trace[column], strict=True) if math.isfinite(x + y)]
    step = -(-len(points) // _POINTS) or 1
    return points[:-1][::step] + points[-1:]


def _chart(title: str, lines: Sequence[tuple[str, int, list[tuple[float, float]]]]) -> Chart:
    xs = [x for _, _, points in lines for x, _ in points]
    ys = [y for _, _, points in lines for _, y in points]
    log = min(ys) > 0 and max(ys) >= _LOG_FROM * min(ys)
    x_axis = _Axis(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT)
    y_axis = _Axis(min(ys), max(ys), _HEIGHT - _BOTTOM, _TOP, log)
    parts = []
    for y in y_axis.ticks():
        at = y_axis.place(y)
        parts.append(
            f'<path class="grid" d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}"/>'
            f'<text x="{_LEFT - 6}" y="{at + 3.5:.1f}" text-anchor="end">{y_axis.text(y)}</text>'
        )
    parts += [
        f'<text x="{x_axis.place(x):.1f}" y="{_HEIGHT - 7}" text-anchor="middle">{x_axis.text(x)}</text>'
        for x in x_axis.ticks()
    ]
    for _, style, points in lines:
        path = "L".join(f"{x_axis.place(x):.1f} {y_axis.place(y):.1f}" for x, y in points)
        # a line of one point has no length; its round cap still shows
        parts.append(f'<path class="line {line_class(style)}" d="M{path}{"" if len(points) > 1 else "h0"}"/>')
    ends = "; ".join(f"{name} from {points[0][1]:.4g} to {points[-1][1]:.4g}" for name, _, points in lines)
    alt = Markup.escape(f"{title}{' (logarithmic)' if log else ''} against iteration: {ends}")
    body = "".join(parts)
    svg = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{alt}">{body}</svg>'
    return Chart(title + (" (logarithmic)" if log else ""), Markup(svg))


@dataclass(frozen=True)
class _Axis:
    """Values to coordinates; `low` and `high` are values, `start` and `end` coordinates."""

    low: float
    high: float
    start: int
    end: int
    log: bool = False

    def place(self, value: float) -> float:
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * ((value - low) / (high - low) if high > low else 0.5)

    def ticks(self) -> list[float]:
        from matplotlib.ticker import MaxNLocator

        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1, max((last - first) // 3, 1))]
        found = MaxNLocator(4).tick_values(self.low, self.high) if self.high > self.low else [self.low]
        return [float(tick) for tick in found if self.low <= tick <= self.high]

    def text(self, value: float) -> str:
        if self.log:
            power = str(round(math.log10(value))).replace("-", "\N{MINUS SIGN}")
            return f'10<tspan dy="-4" font-size="8">{power}</tspan>'
        return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
