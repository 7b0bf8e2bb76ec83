"""Small charts as inline SVG that takes its colours from the page: lines, points, levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

WIDTH, HEIGHT = 340, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 20, 8, 24
LOG_FROM = 100  # ratio of greatest to least value from which a logarithmic axis shows more
STYLES = 6  # line colours of the page's style sheet; then dashes begin
_MANY = 400  # points of a chart, from which on they carry no words of their own

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """What it shows, in words, and the picture."""

    title: str
    svg: Markup


class Entry(NamedTuple):
    """One line of a legend: a name, the CSS classes of its line, and its mark in the chart."""

    name: str
    classes: str
    mark: str = ""


@dataclass(frozen=True)
class Dot:
    """One point of a scatter: its style, a short mark printed beside it, and what a pointer reads."""

    x: float
    y: float
    style: int
    mark: str = ""
    words: str = ""


@dataclass(frozen=True)
class Axis:
    """Values to coordinates; `low` and `high` are values, `start` and `end` coordinates."""

    low: float
    high: float
    start: int
    end: int
    log: bool = False

    @classmethod
    def across(cls, values: Sequence[float], log: bool = False, margin: float = 0.0) -> Axis:
        """Left to right."""
        return cls(*_widened(values, log, margin), _LEFT, WIDTH - _RIGHT, log)

    @classmethod
    def upwards(cls, values: Sequence[float], log: bool = False, margin: float = 0.0) -> Axis:
        """Bottom to top."""
        return cls(*_widened(values, log, margin), HEIGHT - _BOTTOM, _TOP, log)

    def place(self, value: float) -> float:
        """Coordinate of a value."""
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * ((value - low) / (high - low) if high > low else 0.5)

    def ticks(self) -> list[float]:
        """Round values within; of a logarithmic axis powers of ten, or 1, 2, 5 where there are few."""
        from matplotlib.ticker import MaxNLocator

        if not self.log:
            found = MaxNLocator(4).tick_values(self.low, self.high) if self.high > self.low else [self.low]
            return [float(tick) for tick in found if self.low <= tick <= self.high]
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        step = max((last - first) // 3, 1)
        powers = [
            10.0**p for p in range(math.ceil(math.log10(self.low)), last + 1, step) if 10.0**p <= self.high
        ]
        if len(powers) > 1:
            return powers
        finer = [m * 10.0**p for p in range(first, last + 1) for m in (1, 2, 5)]
        return [tick for tick in finer if self.low <= tick <= self.high]

    def text(self, value: float) -> str:
        """A tick's label."""
        power = math.log10(value) if self.log else 0.5
        if self.log and abs(power) > 2 and abs(power - round(power)) < 1e-9:
            written = str(round(power)).replace("-", "\N{MINUS SIGN}")
            return f'10<tspan dy="-4" font-size="8">{written}</tspan>'
        return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")


def line_class(style: int) -> str:
    """CSS classes of a line: colours first, then the same colours dashed."""
    return f"s{style % STYLES}" + (" dashed" if style // STYLES % 2 else "")


def draw_lines(title: str, against: str, lines: Sequence[tuple[str, int, Points]]) -> Chart:
    """One quantity against another, a line per run.

    Args:
        title: of the quantity.
        against: what runs to the right.
        lines: (name, number of its style, points), none empty.
    """
    ys = [y for _, _, points in lines for _, y in points]
    log = min(ys) > 0 and max(ys) >= LOG_FROM * min(ys)
    x_axis, y_axis = Axis.across([x for _, _, points in lines for x, _ in points]), Axis.upwards(ys, log)
    parts = [_grid(y_axis), _below(x_axis)]
    for _, style, points in lines:
        path = "L".join(f"{x_axis.place(x):.1f} {y_axis.place(y):.1f}" for x, y in points)
        # a line of one point has no length; its round cap still shows
        parts.append(f'<path class="line {line_class(style)}" d="M{path}{"" if len(points) > 1 else "h0"}"/>')
    ends = "; ".join(f"{name} from {points[0][1]:.4g} to {points[-1][1]:.4g}" for name, _, points in lines)
    title += " (logarithmic)" if log else ""
    return Chart(f"{title} against {against}", _svg(f"{title} against {against}: {ends}", parts))


def draw_dots(
    title: str,
    alt: str,
    dots: Sequence[Dot],
    *,
    log: bool = False,
    diagonal: bool = False,
    front: Points = (),
) -> Chart:
    """Points, with the line of equal values or a staircase of the best ones.

    Args:
        title: what stands below.
        alt: for those who cannot see it.
        dots: not empty.
        log: logarithmic to the right.
        diagonal: both axes alike, and the line where they are equal.
        front: corners of the staircase, from left to right.
    """
    xs, ys = [dot.x for dot in dots], [dot.y for dot in dots]
    if diagonal:
        xs = ys = [*xs, *ys]
    x_axis, y_axis = Axis.across(xs, log, 0.06), Axis.upwards(ys, margin=0.06)
    parts = [_grid(y_axis), _below(x_axis)]
    if diagonal:
        ends = (f"{x_axis.place(v):.1f} {y_axis.place(v):.1f}" for v in (x_axis.low, x_axis.high))
        parts.append(f'<path class="equal" d="M{"L".join(ends)}"/>')
    if front:
        corners = [(x_axis.place(x), y_axis.place(y)) for x, y in front]
        steps = "".join(f"H{x:.1f}V{y:.1f}" for x, y in corners[1:])
        parts.append(
            f'<path class="equal" d="M{corners[0][0]:.1f} {corners[0][1]:.1f}{steps}H{WIDTH - _RIGHT}"/>'
        )
    for dot in dots:
        x, y = x_axis.place(dot.x), y_axis.place(dot.y)
        words = f"<title>{Markup.escape(dot.words)}</title>" if dot.words and len(dots) <= _MANY else ""
        size = 4.5 if dot.mark else 2.6
        parts.append(
            f'<circle class="dot {line_class(dot.style)}" cx="{x:.1f}" cy="{y:.1f}" r="{size}">{words}</circle>'
        )
        if dot.mark:
            at, anchor = (x - 7, "end") if x > WIDTH - _RIGHT - 25 else (x + 7, "start")
            parts.append(
                f'<text class="mark" x="{at:.1f}" y="{y + 3.5:.1f}" text-anchor="{anchor}">'
                f"{Markup.escape(dot.mark)}</text>"
            )
    return Chart(title, _svg(alt, parts))


def draw_levels(
    title: str, levels: Sequence[str], lines: Sequence[tuple[str, int, Sequence[float]]]
) -> Chart:
    """One value per level of a factor, a line per level of another: parallel lines are no interaction."""
    ys = [y for _, _, values in lines for y in values]
    y_axis = Axis.upwards(ys, margin=0.08)
    inset = 30
    gap = (WIDTH - _RIGHT - _LEFT - 2 * inset) / max(len(levels) - 1, 1)
    at = [_LEFT + inset + gap * place for place in range(len(levels))]
    parts = [_grid(y_axis)]
    parts += [
        f'<text x="{x:.1f}" y="{HEIGHT - 7}" text-anchor="middle">{Markup.escape(_short(level))}</text>'
        for x, level in zip(at, levels, strict=True)
    ]
    for _, style, values in lines:
        points = [(x, y_axis.place(y)) for x, y in zip(at, values, strict=True)]
        parts.append(
            f'<path class="line {line_class(style)}" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>'
        )
        parts += [
            f'<circle class="dot {line_class(style)}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points
        ]
    words = "; ".join(
        f"{name}: {', '.join(f'{level} {value:.4g}' for level, value in zip(levels, values, strict=True))}"
        for name, _, values in lines
    )
    return Chart(title, _svg(f"{title}. {words}", parts))


def _widened(values: Sequence[float], log: bool, margin: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    if log:
        reach = (high / low) ** margin if high > low else 2.0**margin
        return low / reach, high * reach
    reach = margin * ((high - low) or abs(high) or 1)
    return low - reach, high + reach


def _grid(axis: Axis) -> str:
    return "".join(
        f'<path class="grid" d="M{_LEFT} {axis.place(y):.1f}H{WIDTH - _RIGHT}"/>'
        f'<text x="{_LEFT - 6}" y="{axis.place(y) + 3.5:.1f}" text-anchor="end">{axis.text(y)}</text>'
        for y in axis.ticks()
    )


def _below(axis: Axis) -> str:
    return "".join(
        f'<text x="{axis.place(x):.1f}" y="{HEIGHT - 7}" text-anchor="middle">{axis.text(x)}</text>'
        for x in axis.ticks()
    )


def _short(text: str, most: int = 22) -> str:
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _svg(alt: str, parts: Sequence[str]) -> Markup:
    body = "".join(parts)
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{Markup.escape(alt)}">{body}</svg>'
    )
