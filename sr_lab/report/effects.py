"""What each factor of a grid does by itself, and whether two of them act together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from sr_lab.report.charts import Chart, Entry, draw_levels, line_class
from sr_lab.report.paired import contrast, correct
from sr_lab.report.table import BLOCK, Block, Column, Row, Table
from sr_lab.report.verdicts import words
from sr_lab.report.wording import TIMES

METRICS = 3  # in charts

READING = (
    "Main effect: what going from the first level of a factor to another does, averaged over all levels of the other "
    "factors. Interaction: by how much that effect grows or falls between two levels of another factor; lines "
    "that run in parallel show none. Interval, test and d as for comparisons, corrected by Holm for all effects of "
    "a metric within a grid. Charts show means; their distances on the same images are what the table tests."
)


@dataclass(frozen=True)
class EffectLine:
    """One effect in words."""

    effect: str
    images: int
    difference: str
    p: str
    d: str
    verdict: str


@dataclass(frozen=True)
class Interaction:
    """Charts of two factors, one a metric, and their legend."""

    charts: list[Chart]
    legend: list[Entry]


@dataclass(frozen=True)
class Grid:
    """A full grid of configurations within a block: its effects by metric and charts, or what is missing."""

    setting: str
    factors: dict[str, list[str]]
    missing: list[str]
    effects: list[tuple[str, list[EffectLine]]]
    interactions: list[Interaction]


def find_grids(table: Table) -> list[Grid]:
    """The grids of a table: rows of one block and one method in which two or more factors vary."""
    grids = []
    for block in table.blocks:
        for rows in _by_method(block):
            factors = _factors(table, rows)
            if len(factors) > 1:
                grids.append(_grid(table, rows, factors))
    return grids


def _by_method(block: Block) -> Iterator[list[Row]]:
    competitors = [row for row in block.rows if not row.group.is_bound]
    for method in dict.fromkeys(row.group.labels.get("method") for row in competitors):
        yield [row for row in competitors if row.group.labels.get("method") == method]


def _factors(table: Table, rows: Sequence[Row]) -> dict[str, list[str]]:
    levels = {
        title: list(dict.fromkeys(row.labels[place] for row in rows))
        for place, title in enumerate(table.label_titles)
        if title not in BLOCK
    }
    return {title: sorted(found, key=_numeric) for title, found in levels.items() if len(found) > 1}


def _numeric(level: str) -> tuple[float, str]:
    try:
        return float(level), level
    except ValueError:
        return math.inf, level


def _grid(table: Table, rows: Sequence[Row], factors: dict[str, list[str]]) -> Grid:
    places = [table.label_titles.index(title) for title in factors]
    cells = {tuple(row.labels[place] for place in places): row for row in rows}
    missing = [" · ".join(cell) for cell in product(*factors.values()) if cell not in cells]
    if missing:
        return Grid(rows[0].setting, factors, missing, [], [])
    effects = [
        (column.heading, lines)
        for column in table.columns
        if (lines := list(_effects(column, factors, cells)))
    ]
    interactions = _interactions(table.columns[:METRICS], factors, cells)
    return Grid(rows[0].setting, factors, [], effects, interactions)


def _effects(
    column: Column, factors: dict[str, list[str]], cells: dict[tuple[str, ...], Row]
) -> Iterator[EffectLine]:
    estimates = {cell: row.group.estimates.get(column.name) for cell, row in cells.items()}
    found = []
    for name, weights in _contrasts(factors):
        weighted = [
            (weight, estimate)
            for cell, estimate in estimates.items()
            if estimate is not None and (weight := weights.get(cell, 0.0))
        ]
        made = contrast(weighted) if len(weighted) == len(weights) else None
        if made is not None:
            found.append((name, made))
    corrected = correct([made for _, made in found])
    for (name, _), made in zip(found, corrected, strict=True):
        yield EffectLine(name, *words(made, column.decimals))


def _contrasts(factors: dict[str, list[str]]) -> Iterator[tuple[str, dict[tuple[str, ...], float]]]:
    """Every main effect, then every two-factor interaction, as a weight for each cell that counts."""
    titles, cells = list(factors), list(product(*factors.values()))
    for title, levels in factors.items():
        place = titles.index(title)
        share = len(levels) / len(cells)
        for level in levels[1:]:
            sign = {levels[0]: -1, level: 1}
            yield (
                f"{title}: {levels[0]} \N{RIGHTWARDS ARROW} {level}",
                {cell: sign[cell[place]] * share for cell in cells if cell[place] in sign},
            )
    for one, other in combinations(titles, 2):
        a, b = titles.index(one), titles.index(other)
        share = len(factors[one]) * len(factors[other]) / len(cells)
        for level, second in product(factors[one][1:], factors[other][1:]):
            first_sign = {factors[one][0]: -1, level: 1}
            other_sign = {factors[other][0]: -1, second: 1}
            yield (
                f"{one} {level} {TIMES} {other} {second}",
                {
                    cell: first_sign[cell[a]] * other_sign[cell[b]] * share
                    for cell in cells
                    if cell[a] in first_sign and cell[b] in other_sign
                },
            )


def _interactions(
    columns: Sequence[Column], factors: dict[str, list[str]], cells: dict[tuple[str, ...], Row]
) -> list[Interaction]:
    """Charts for each pair of factors: the one with more levels runs to the right."""
    found = []
    for pair in combinations(factors, 2):
        lined, across = sorted(pair, key=lambda title: len(factors[title]))
        charts = [_chart(column, lined, across, factors, cells) for column in columns]
        legend = [Entry(level, line_class(style)) for style, level in enumerate(factors[lined])]
        if any(charts):
            found.append(Interaction([chart for chart in charts if chart], legend))
    return found


def _chart(
    column: Column,
    lined: str,
    across: str,
    factors: dict[str, list[str]],
    cells: dict[tuple[str, ...], Row],
) -> Chart | None:
    """Means of one metric over all other factors; None where a cell lacks it."""
    means = {
        cell: estimate.mean
        for cell, row in cells.items()
        if (estimate := row.group.estimates.get(column.name)) is not None
    }
    if len(means) < len(cells):
        return None
    a, b = list(factors).index(lined), list(factors).index(across)
    lines = [
        (
            level,
            style,
            [
                float(np.mean([mean for cell, mean in means.items() if (cell[a], cell[b]) == (level, right)]))
                for right in factors[across]
            ],
        )
        for style, level in enumerate(factors[lined])
    ]
    return draw_levels(f"{column.heading} by {across}, a line per {lined}", factors[across], lines)
