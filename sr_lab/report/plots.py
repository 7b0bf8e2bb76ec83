"""The table as pictures: quality against time, and image by image against a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sr_lab.report.aggregate import Estimate
from sr_lab.report.charts import Chart, Dot, Entry, Points, draw_dots, line_class
from sr_lab.report.companions import BASELINE, stages_of
from sr_lab.report.table import Block, Column, Row, Table
from sr_lab.report.wording import number, significant

METRICS = 3  # charts of a block
_ROWS = 18  # beyond, points cannot be told apart


@dataclass(frozen=True)
class Panel:
    """Charts of one block that share a legend."""

    setting: str
    charts: list[Chart]
    legend: list[Entry]


def quality_against_time(table: Table) -> list[Panel]:
    """Mean of the first metrics against seconds an image; the staircase joins what nothing beats in both."""
    panels = []
    for block in table.blocks:
        timed = [
            (style, row, seconds)
            for style, row in enumerate(block.rows)
            if (seconds := row.group.seconds_per_image)
        ]
        if not 2 <= len(timed) <= _ROWS:
            continue
        marks = {id(row): str(place) for place, (_, row, _) in enumerate(timed, 1)}
        charts = []
        for column in table.columns[:METRICS]:
            drawn = [
                (
                    row,
                    Dot(seconds, estimate.mean, style, marks[id(row)], _told(row, column, estimate, seconds)),
                )
                for style, row, seconds in timed
                if (estimate := row.group.estimates.get(column.name)) is not None
            ]
            dots = [dot for _, dot in drawn]
            if len(dots) > 1:
                alt = f"{column.title} against seconds per image: " + "; ".join(dot.words for dot in dots)
                wide = max(dot.x for dot in dots) > 10 * min(dot.x for dot in dots)
                title = f"{column.heading} against s / image{' (logarithmic)' if wide else ''}"
                front = _front([dot for row, dot in drawn if not row.group.is_bound], column.higher_is_better)
                charts.append(draw_dots(title, alt, dots, log=wide, front=front))
        if charts:
            legend = [Entry(row.title, line_class(style), marks[id(row)]) for style, row, _ in timed]
            panels.append(Panel(block.rows[0].setting, charts, legend))
    return panels


def image_by_image(table: Table, references: Sequence[Row]) -> list[Panel]:
    """Every image of every row against the row that is the reference of its block, or else against bicubic."""
    panels = []
    for block in table.blocks:
        reference = next((row for row in block.rows if any(row is one for one in references)), None)
        others = [(style, row) for style, row in enumerate(block.rows) if row is not reference]
        if not 1 <= len(others) <= _ROWS:
            continue
        charts = [
            chart
            for column in table.columns[:METRICS]
            if (chart := _scatter(block, others, reference, column)) is not None
        ]
        if charts:
            legend = [Entry(row.title, line_class(style)) for style, row in others]
            panels.append(Panel(block.rows[0].setting, charts, legend))
    return panels


def _scatter(
    block: Block, others: Sequence[tuple[int, Row]], reference: Row | None, column: Column
) -> Chart | None:
    known = reference.group.estimates.get(column.name) if reference else _bicubic(block, column)
    if known is None:
        return None
    dots, wins = [], []
    for style, row in others:
        estimate = row.group.estimates.get(column.name)
        if estimate is None or set(estimate.protocols) != set(known.protocols):
            continue
        pairs = [(i, x, estimate.per_image[i]) for i, x in known.per_image.items() if i in estimate.per_image]
        better = sum((y > x) == column.higher_is_better and x != y for _, x, y in pairs)
        wins.append(f"{row.title} better on {better} of {len(pairs)}")
        dots += [
            Dot(x, y, style, "", f"{image}, {row.title}: {_pair(x, y, column)}") for image, x, y in pairs
        ]
    if len(dots) < 2:
        return None
    name = reference.title if reference else BASELINE
    title = f"{column.heading} of each image (upwards) against {name}; dashed: equal"
    return draw_dots(
        title, f"{column.title} of each image against {name}: {'; '.join(wins)}", dots, diagonal=True
    )


def _bicubic(block: Block, column: Column) -> Estimate | None:
    for row in block.rows:
        name = stages_of(column.name, row.group.estimates).get(BASELINE)
        if name is not None:
            return row.group.estimates[name]
    return None


def _front(dots: Sequence[Dot], higher_is_better: bool) -> Points:
    """Corners from the fastest on: each better than all that are faster."""
    sign = 1 if higher_is_better else -1
    corners: list[tuple[float, float]] = []
    for dot in sorted(dots, key=lambda dot: (dot.x, -sign * dot.y)):
        if not corners or sign * dot.y > sign * corners[-1][1]:
            corners.append((dot.x, dot.y))
    return corners


def _told(row: Row, column: Column, estimate: Estimate, seconds: float) -> str:
    return f"{row.title} {number(estimate.mean, column.decimals)} {column.unit} in {significant(seconds)} s"


def _pair(x: float, y: float, column: Column) -> str:
    return f"{number(y, column.decimals)} for {number(x, column.decimals)}"
