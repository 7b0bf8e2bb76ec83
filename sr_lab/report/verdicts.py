"""Paired comparisons in words: what stands below the table of results when a baseline was named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sr_lab.errors import UserError
from sr_lab.report.aggregate import Group
from sr_lab.report.paired import Comparison, compare, find_baseline
from sr_lab.report.table import Column, Table
from sr_lab.report.wording import ABSENT, number

SIGNIFICANT = 0.05

READING = (
    "Difference: this configuration minus the baseline on the images that both measured, each averaged over "
    "its seeds first; in brackets the 95 % bootstrap interval. p: two-sided sign-flip permutation test, "
    "corrected by Holm for all comparisons of a metric within a block. d: mean over standard deviation of the "
    "differences. Verdict at 5 %; few images can show no difference (with n images p is at least 2 / 2^n)."
)


@dataclass(frozen=True)
class Verdict:
    """One line of the comparison table."""

    setting: str
    title: str
    metric: str
    images: int
    difference: str
    p: str
    effect: str
    verdict: str


def judge(table: Table, choice: Mapping[str, str]) -> list[Verdict]:
    """Compare every row of a block with the row of that block which is the baseline.

    Raises:
        UserError: no configuration, or several in one block, answer to the choice.
    """
    baselines = find_baseline([row.group for row in table.rows], choice)
    lines = []
    for block in table.blocks:
        inside = [row for row in block.rows if any(row.group is group for group in baselines)]
        if len(inside) > 1:
            raise UserError(
                f"{len(inside)} configurations of a block answer to it: {'; '.join(r.title for r in inside)}",
                where="--baseline",
                fix="name one more label: --baseline prior=fkp,method=zero_shot",
            )
        if not inside:
            continue
        rows = {id(row.group): row for row in block.rows}
        columns = {column.name: column for column in table.columns}
        groups: Sequence[Group] = [row.group for row in block.rows]
        for one in compare(groups, inside[0].group, list(columns)):
            row = rows[id(one.group)]
            lines.append(_worded(one, columns[one.metric], row.setting, row.title))
    return lines


def _worded(one: Comparison, column: Column, setting: str, title: str) -> Verdict:
    decimals = column.decimals + 1  # a difference is small beside the values
    difference = f"{one.difference:+.{decimals}f}"
    if one.interval is not None:
        low, high = (number(bound, decimals) for bound in one.interval)
        difference += f" [{low}, {high}]"
    if one.p_holm is None:
        verdict = "one image: no test"
    elif one.p_holm < SIGNIFICANT:
        verdict = "better" if one.better else "worse"
    else:
        verdict = "no difference shown"
    return Verdict(
        setting,
        title,
        column.heading,
        one.images,
        difference,
        ABSENT if one.p_holm is None else f"{one.p_holm:.4f}" if one.p_holm >= 1e-4 else "< 0.0001",
        ABSENT if one.effect is None else f"{one.effect:+.2f}",
        verdict,
    )
