"""The tables for a paper: LaTeX with booktabs, best in bold, what is level with it underlined."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sr_lab.report.companions import BASELINE
from sr_lab.report.table import Cell, Table
from sr_lab.report.verdicts import Verdict
from sr_lab.report.wording import ABSENT, LEVEL

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"$<$",
    ">": r"$>$",
    "\N{EN DASH}": "--",
    "\N{MINUS SIGN}": "$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{MIDDLE DOT}": r"$\cdot$",
    "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    "\N{RIGHTWARDS ARROW}": r"$\to$",
    LEVEL: "Underlined",
} | {character: f"\\{character}" for character in "&%$#_{}"}

_SAID = ("Numbers", "In brackets", "Bold", LEVEL, "Oracle")  # of the reading, what these tables show


def to_latex(title: str, table: Table, verdicts: Sequence[Verdict] = (), against: str = "") -> str:
    r"""Tables to `\input` where booktabs is loaded; protocols and reading stand in the caption.

    Args:
        title: of the caption.
        table: the results.
        verdicts: paired comparisons, a table of their own.
        against: the baseline of these.
    """
    parts = ["% needs \\usepackage{booktabs}", _results(title, table)]
    if verdicts:
        parts.append(_comparison(verdicts, against))
    return "\n\n".join(parts) + "\n"


def _results(title: str, table: Table) -> str:
    heads = [*table.label_titles, *(column.heading for column in table.columns), *table.fact_titles]
    blocks = []
    for block in table.blocks:
        lines = []
        if block.baseline:
            means = [mean or ABSENT for mean in block.baseline]
            lines.append(_row(map(escape, [*block.baseline_labels, *means, *[""] * len(table.fact_titles)])))
        for row in block.rows:
            cells = [*map(escape, row.labels), *map(_cell, row.cells), *map(escape, row.facts)]
            lines.append(_row(cells))
        blocks.append("\n".join(lines))
    constants = ", ".join(f"{key} {value}" for key, value in table.constants.items())
    protocols = [
        f"{column.title}: {protocol}{f' ({rows})' if rows else ''}."
        for column in table.columns
        for protocol, rows in column.protocols
    ]
    caption = [f"{title}: {constants}, {table.scope}." if constants else f"{title}: {table.scope}."]
    return _table(
        "l" * len(table.label_titles) + "r" * (len(heads) - len(table.label_titles)),
        heads,
        "\n\\midrule\n".join(blocks),
        " ".join([*caption, *(line for line in table.reading if line.startswith(_SAID)), *protocols]),
        "results",
    )


def _comparison(verdicts: Sequence[Verdict], against: str) -> str:
    heads = ["setting", "configuration", "metric", "images", "difference", "$p$", "$d$", "verdict"]
    rows = [[str(value) for value in vars(one).values()] for one in verdicts]
    kept = [i for i in range(len(heads)) if i or any(row[0] for row in rows)]
    return _table(
        "".join("llrrrrrl"[i] if i != 2 else "l" for i in kept),
        [heads[i] for i in kept],
        "\n".join(_row(escape(row[i]) for i in kept) for row in rows),
        f"Paired comparison with {against}: difference with 95 % interval over images and seeds, "
        "sign-flip permutation test with Holm's correction, Cohen's d of the differences.",
        "comparison",
        raw_heads=True,
    )


def _table(
    columns: str, heads: Sequence[str], body: str, caption: str, label: str, raw_heads: bool = False
) -> str:
    head = _row(heads if raw_heads else map(escape, heads))
    return (
        "\\begin{table}\n\\centering\n"
        f"\\caption{{{escape(caption)}}}\n\\label{{tab:{label}}}\n"
        f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}\n\\toprule\n{head}\n\\midrule\n{body}\n"
        "\\bottomrule\n\\end{tabular}\n\\end{table}"
    )


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return escape(ABSENT)
    mean = escape(cell.mean)
    if cell.best:
        mean = f"\\textbf{{{mean}}}"
    elif cell.level:
        mean = f"\\underline{{{mean}}}"
    small = [cell.interval] * bool(cell.interval)
    small += [f"{BASELINE} {cell.baseline}"] * bool(cell.baseline)
    return f"{mean} {{\\scriptsize {escape('; '.join(small))}}}" if small else mean


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def escape(text: str) -> str:
    """Plain text that LaTeX must not read as markup; backticks, the mark of code elsewhere, go."""
    flat = " ".join(text.replace("`", "").split())
    special = re.compile("|".join(map(re.escape, _SPECIAL)))
    return special.sub(lambda found: _SPECIAL[found[0]], flat)
