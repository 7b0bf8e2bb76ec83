"""Paired comparisons in words: what stands below the table of results when a baseline was named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sr_lab.errors import UserError
from sr_lab.report.aggregate import Group
from sr_lab.report.paired import SIGNIFICANT, Contrast, compare, find_baseline
from sr_lab.report.table import Table
from sr_lab.report.wording import ABSENT, number, signed

READING = (
    "Difference: this configuration minus the baseline on the images that both measured, each averaged over "
    "its seeds first; in brackets the 95 % interval over images and seeds. p: two-sided sign-flip permutation test "
    "over images, corrected by Holm for all comparisons of a metric within a block. d: mean over standard deviation "
    "of the differences. Verdict: p below 5 % and the interval leaves zero out; n images cannot bring p below "
    "2 / 2^n before the correction, so that few of them cannot tell."
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
                fix="name one more label or setting: --baseline prior=fkp,method.iterations=1000",
            )
        if not inside:
            continue
        rows = {id(row.group): row for row in block.rows}
        columns = {column.name: column for column in table.columns}
        groups: Sequence[Group] = [row.group for row in block.rows]
        for one in compare(groups, inside[0].group, list(columns)):
            row, column = rows[id(one.group)], columns[one.metric]
            lines.append(
                Verdict(row.setting, row.title, column.heading, *words(one.contrast, column.decimals))
            )
    return lines


def words(one: Contrast, decimals: int) -> tuple[int, str, str, str, str]:
    """Images, difference with interval, p, d and verdict of one contrast."""
    decimals += 1  # a difference is small beside the values
    difference = signed(one.difference, decimals)
    if one.interval is not None:
        low, high = (number(bound, decimals) for bound in one.interval)
        difference += f" [{low}, {high}]"
    if one.p_holm is None:
        verdict = "one image: no test"
    elif one.significant:
        verdict = "better" if one.better else "worse"
    elif one.p_holm < SIGNIFICANT:
        verdict = "within the spread of seeds"
    elif not one.could_show:
        verdict = "too few images to tell"
    else:
        verdict = "no difference shown"
    return (
        one.images,
        difference,
        ABSENT if one.p_holm is None else f"{one.p_holm:.4f}" if one.p_holm >= 1e-4 else "< 0.0001",
        ABSENT if one.effect is None else signed(one.effect, 2),
        verdict,
    )
