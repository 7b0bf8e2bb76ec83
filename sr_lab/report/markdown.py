"""The report as Markdown: the table, how it was measured, and how to repeat it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from sr_lab.report.companions import BASELINE
from sr_lab.report.effects import READING as EFFECTS_READING
from sr_lab.report.effects import Grid
from sr_lab.report.failures import Failure
from sr_lab.report.provenance import Provenance
from sr_lab.report.table import Cell, Table
from sr_lab.report.verdicts import READING, Verdict
from sr_lab.report.wording import ABSENT, LEVEL


def to_markdown(
    title: str,
    facts: Sequence[tuple[str, str]],
    table: Table,
    provenance: Provenance,
    figures: Sequence[tuple[str, str]],
    unreadable: Sequence[tuple[str, str]],
    failures: Sequence[Failure] = (),
    verdicts: Sequence[Verdict] = (),
    against: str = "",
    grids: Sequence[Grid] = (),
) -> str:
    """Put the report together.

    Args:
        title: of the page.
        facts: (term, what it is) for the head.
        table: the results.
        provenance: commands, versions, notes.
        figures: (text, path) of pictures, relative to where the page will lie.
        unreadable: (file, reason).
        failures: runs without a record.
        verdicts: paired comparisons.
        against: the baseline of these.
        grids: main effects and interactions.
    """
    protocols = [
        f"{column.title} (`{column.name}`, {column.direction}): {protocol}{f' ({rows})' if rows else ''}"
        for column in table.columns
        for protocol, rows in column.protocols
    ]
    sections = [
        ("", [f"# {_text(title)}", _list(f"{term}: {what}" for term, what in facts)]),
        ("Results", [_table(table), _text(" ".join(table.reading)), _list(protocols)]),
        ("Failed runs", [_list(f"{one.title or one.name} ({one.name}): {one.reason}" for one in failures)]),
        (f"Compared with {against}", [_verdicts(verdicts), _text(READING)] if verdicts else []),
        ("Main effects and interactions", [*map(_grid, grids), _text(EFFECTS_READING)] if grids else []),
        ("Caution", [_list(provenance.warnings)]),
        ("Notes", [_list(f"{note}{f' ({runs})' if runs else ''}" for note, runs in provenance.notes)]),
        ("Figures", [f"{_text(text)}\n\n![{_text(text)}](<{escape(path)}>)" for text, path in figures]),
        (
            "Runs",
            [
                f"{_code(command)}\n\n{_list(f'{run.title}: ' + ', '.join(run.facts) for run in runs)}"
                for command, runs in provenance.commands
            ],
        ),
        (
            "Versions",
            [_list(f"{version}{f' ({runs})' if runs else ''}" for version, runs in provenance.versions)],
        ),
        ("Unreadable", [_list(f"{file}: {reason}" for file, reason in unreadable)]),
    ]
    parts = []
    for heading, content in sections:
        kept = [block for block in content if block]
        parts += ([f"## {heading}"] if heading and kept else []) + kept
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    heads = [*table.label_titles, *(column.heading for column in table.columns), *table.fact_titles]
    lines = [_row(map(_text, heads))]
    lines.append(_row(["---"] * len(table.label_titles) + ["---:"] * (len(heads) - len(table.label_titles))))
    for block in table.blocks:
        if block.baseline:
            means = [mean or ABSENT for mean in block.baseline]
            texts = [*block.baseline_labels, *means, *[""] * len(table.fact_titles)]
            lines.append(_row(map(_text, texts)))
        for row in block.rows:
            texts = [*map(_text, row.labels), *map(_cell, row.cells), *map(_text, row.facts)]
            lines.append(_row(texts))
    return "\n".join(lines)


def _verdicts(verdicts: Sequence[Verdict]) -> str:
    heads = ["setting", "configuration", "metric", "images", "difference", "p", "d", "verdict"]
    lines = [_row(heads), _row(["---"] * 3 + ["---:"] * 4 + ["---"])]
    return "\n".join([*lines, *(_row(_text(str(value)) for value in vars(one).values()) for one in verdicts)])


def _grid(grid: Grid) -> str:
    factors = "; ".join(f"{factor} ({', '.join(levels)})" for factor, levels in grid.factors.items())
    parts = [_text(f"{grid.setting} Factors: {factors}.".strip())]
    if grid.missing:
        parts.append(_text(f"Without a record: {'; '.join(grid.missing)}. Effects cannot be told apart."))
    heads = ["metric", "effect", "images", "difference", "p", "d", "verdict"]
    lines = [_row(heads), _row(["---"] * 2 + ["---:"] * 4 + ["---"])]
    lines += [
        _row(map(_text, [metric, *(str(value) for value in vars(one).values())]))
        for metric, effects in grid.effects
        for one in effects
    ]
    return "\n\n".join([*parts, "\n".join(lines)] if grid.effects else parts)


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ABSENT
    remarks = [f"{BASELINE} {cell.baseline}"] * bool(cell.baseline) + cell.remarks
    mean = f"**{cell.mean}**" if cell.best else f"{LEVEL} {cell.mean}" if cell.level else cell.mean
    return "; ".join([f"{mean} {_text(cell.interval)}".strip(), *map(_text, remarks)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_text(line)}" for line in lines)


def _text(text: str) -> str:
    """Plain text that Markdown must not read as markup; code spans in backticks stay."""
    flat = " ".join(text.split())
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])|[\\*\[\]|]", r"\\\g<0>", escape(flat, quote=False))


def _code(text: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"
