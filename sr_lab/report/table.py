"""What a row, a column and a bold number of the results table is; no markup."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sr_lab.report.aggregate import Estimate, Group
from sr_lab.report.companions import BASELINE, floor_of, is_companion, stages_of
from sr_lab.report.paired import compare
from sr_lab.report.reading import explain
from sr_lab.report.variants import variant_columns
from sr_lab.report.wording import (
    ABSENT,
    count,
    counts,
    decimals_for,
    label_value,
    metric_title,
    number,
    significant,
)

# runs are compared where these agree; the order is that of the columns
BLOCK = ("scene", "dataset", "degradation", "scale")
_ORDER = (*BLOCK, "prior", "start", "backbone", "solver", "method")


@dataclass(frozen=True)
class Column:
    """One metric: its spelling, digits, and every protocol with its rows (empty: all)."""

    name: str
    title: str
    unit: str
    higher_is_better: bool
    decimals: int
    protocols: list[tuple[str, str]]

    @property
    def heading(self) -> str:
        """Title, unit, and an arrow in the direction of better."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.title}{unit} {'↑' if self.higher_is_better else '↓'}"

    @property
    def direction(self) -> str:
        """Unit and which way is better, in words."""
        better = f"{'higher' if self.higher_is_better else 'lower'} is better"
        return f"{self.unit}, {better}" if self.unit else better


@dataclass(frozen=True)
class Cell:
    """One estimate in words; `interval` and `baseline` (of bicubic on the same images) may be empty.

    `level` is the one number that is not the best and yet not shown to be worse.
    """

    mean: str
    interval: str
    baseline: str
    remarks: list[str]
    best: bool = False
    level: bool = False


@dataclass(frozen=True)
class Row:
    """One group: what tells it apart (`labels`), its cells by column, its facts.

    `setting` names its block, if there are several, and `title` the row within its block: for legends.
    """

    group: Group
    setting: str
    title: str
    labels: list[str]
    cells: list[Cell | None]
    facts: list[str]


@dataclass(frozen=True)
class Block:
    """Rows that may be compared, and what bicubic reaches in each column if all rows agree on it."""

    rows: list[Row]
    baseline_labels: list[str]
    baseline: list[str]


@dataclass(frozen=True)
class Table:
    """Rows by block; what all rows share stands in `constants`, not in a column."""

    label_titles: list[str]
    columns: list[Column]
    fact_titles: list[str]
    blocks: list[Block]
    constants: dict[str, str]
    scope: str
    reading: list[str]
    warnings: list[str]

    @property
    def rows(self) -> list[Row]:
        """All rows, in order."""
        return [row for block in self.blocks for row in block.rows]


def build_table(groups: Sequence[Group]) -> Table:
    """Arrange groups: blocks of one scene, dataset, degradation and scale, the best mean of each marked."""
    keys = _keys(groups)
    groups = sorted(groups, key=lambda group: [_sortable(group.labels.get(key)) for key in keys])
    differing = [key for key in keys if len({group.labels.get(key) for group in groups}) > 1]
    variants = variant_columns(groups)
    texts = [
        {
            **{
                key: label_value(key, group.labels[key]) if key in group.labels else ABSENT
                for key in differing
            },
            **{title: values[index] for title, values in variants.items()},
        }
        for index, group in enumerate(groups)
    ]
    if not differing and not variants:
        texts = [{"run": group.runs[0].record.name} for group in groups]
    columns = _columns(groups, texts)
    facts = _facts(groups)
    warnings: list[str] = []
    blocks: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for index, (group, text) in enumerate(zip(groups, texts, strict=True)):
        block = tuple(str(group.labels.get(key, "")) for key in BLOCK)
        row = Row(
            group,
            " · ".join(value for key, value in text.items() if key in BLOCK),
            " · ".join(value for key, value in text.items() if key not in BLOCK) or group.runs[0].record.name,
            list(text.values()),
            [_cell(group, column) for column in columns],
            [values[index] for values in facts.values()],
        )
        blocks[block].append(row)
    finished = [
        _with_baseline(_mark_best(rows, columns, warnings), list(texts[0])) for rows in blocks.values()
    ]
    marks = any(cell and cell.level for block in finished for row in block.rows for cell in row.cells)
    return Table(
        label_titles=list(texts[0]),
        columns=columns,
        fact_titles=list(facts),
        blocks=finished,
        constants={key: label_value(key, groups[0].labels[key]) for key in keys if key not in differing},
        scope=", ".join(_counts(groups)),
        reading=explain(groups, len(blocks), marks),
        warnings=warnings,
    )


def _keys(groups: Sequence[Group]) -> list[str]:
    found = dict.fromkeys(key for group in groups for key in group.labels)
    return [key for key in _ORDER if key in found] + [key for key in found if key not in _ORDER]


def _sortable(value: str | int | None) -> tuple[bool, int, str]:
    return (value is None, value if isinstance(value, int) else 0, str(value))


def _columns(groups: Sequence[Group], texts: Sequence[dict[str, str]]) -> list[Column]:
    names = dict.fromkeys(name for group in groups for name in group.estimates)
    columns = []
    for name in names:
        if is_companion(name, names):
            continue  # they stand beside what they are to be compared with
        found = [(g.estimates[name], t) for g, t in zip(groups, texts, strict=True) if name in g.estimates]
        first = found[0][0]
        users: dict[str, list[dict[str, str]]] = defaultdict(list)
        for estimate, text in found:
            for protocol in estimate.protocols:
                users[protocol].append(text)
        columns.append(
            Column(
                name,
                metric_title(name),
                first.unit,
                first.higher_is_better,
                decimals_for((estimate.mean for estimate, _ in found), first.unit),
                list(zip(users, _told_apart(list(users.values())), strict=True)),
            )
        )
    return columns


def _told_apart(parties: Sequence[Sequence[dict[str, str]]]) -> list[str]:
    """Name the rows of each party: by the one label that tells the parties apart, failing that by all."""
    if len(parties) < 2:
        return [""] * len(parties)
    for key in parties[0][0]:
        values = [list(dict.fromkeys(text.get(key, "") for text in party)) for party in parties]
        if len({value for those in values for value in those}) == sum(map(len, values)):
            return [", ".join(those) for those in values]
    return ["; ".join(" · ".join(text.values()) for text in party) for party in parties]


def _cell(group: Group, column: Column) -> Cell | None:
    estimate = group.estimates.get(column.name)
    if estimate is None:
        return None
    remarks = []
    floor = floor_of(column.name, group.estimates)
    means = {
        stage: number(group.estimates[other].mean, column.decimals)
        for stage, other in stages_of(column.name, group.estimates).items()
    }
    baseline = means.pop(BASELINE, "")
    remarks += [f"{stage} {mean}" for stage, mean in means.items()]
    if floor:
        remarks.append(f"zero kernel {number(group.estimates[floor].mean, column.decimals)}")
    if estimate.spread is not None:
        # the spread is small beside the value: one digit more tells it from zero
        remarks.append(f"seed sd {number(estimate.spread, column.decimals + 1)}")
    images, seeds = len(estimate.per_image), len(estimate.by_seed)
    if 0 < images < len(group.image_ids):
        remarks.append(f"{images} of {count(len(group.image_ids), 'image')}")
    if 0 < seeds < len(group.runs):
        remarks.append(f"{seeds} of {count(len(group.runs), 'seed')}")
    mean, interval = number(estimate.mean, column.decimals), _interval(estimate, column.decimals)
    return Cell(mean, interval, baseline, remarks)


def _interval(estimate: Estimate, decimals: int) -> str:
    if estimate.interval is None:
        return ""
    low, high = (number(bound, decimals) for bound in estimate.interval)
    return f"[{low}, {high}]"


def _mark_best(rows: list[Row], columns: Sequence[Column], warnings: list[str]) -> list[Row]:
    """Bold the best mean of a column, ties as printed included, if the rows measured the same thing."""
    marked = [list(row.cells) for row in rows]
    for place, column in enumerate(columns):
        having = [i for i, row in enumerate(rows) if row.cells[place] and not row.group.is_bound]
        estimates = [rows[i].group.estimates[column.name] for i in having]
        if len(having) < 2:
            continue
        where = f" ({rows[0].setting})" if rows[0].setting else ""
        if len({protocol for estimate in estimates for protocol in estimate.protocols}) > 1:
            warnings.append(
                f"{column.title}{where}: rows follow different protocols; none is marked as best."
            )
        elif len({frozenset(estimate.per_image) for estimate in estimates}) > 1:
            warnings.append(f"{column.title}{where}: rows cover different images; none is marked as best.")
        else:
            pick = max if column.higher_is_better else min
            best = number(pick(estimate.mean for estimate in estimates), column.decimals)
            for i in having:
                cell = marked[i][place]
                if cell:
                    marked[i][place] = replace(cell, best=cell.mean == best)
            for i in _level_with_best([rows[i] for i in having], column):
                cell = marked[having[i]][place]
                if cell and not cell.best:
                    marked[having[i]][place] = replace(cell, level=True)
    return [replace(row, cells=cells) for row, cells in zip(rows, marked, strict=True)]


def _level_with_best(rows: Sequence[Row], column: Column) -> list[int]:
    """Rows whose paired difference from the best one is not significant, all rows counted as tried."""
    groups = [row.group for row in rows]
    pick = max if column.higher_is_better else min
    best = pick(groups, key=lambda group: group.estimates[column.name].mean)
    found = {id(one.group): one.contrast for one in compare(groups, best, [column.name])}
    return [
        i
        for i, group in enumerate(groups)
        if group is not best and found[id(group)].could_show and not found[id(group)].significant
    ]


def _with_baseline(rows: list[Row], titles: Sequence[str]) -> Block:
    """Lift bicubic out of the cells of a column where all of them agree on it."""
    baseline = []
    for place in range(len(rows[0].cells)):
        found = {cell.baseline for row in rows if (cell := row.cells[place])}
        baseline.append(found.pop() if len(found) == 1 else "")
    lifted = [
        replace(
            row,
            cells=[
                replace(cell, baseline="") if cell and cell.baseline == common else cell
                for cell, common in zip(row.cells, baseline, strict=True)
            ],
        )
        for row in rows
    ]
    labels = [label if title in BLOCK else "" for title, label in zip(titles, rows[0].labels, strict=True)]
    free = next((i for i, title in enumerate(titles) if title not in BLOCK), len(titles) - 1)
    labels[free] = f"{labels[free]} {BASELINE} reference".strip()
    return Block(lifted, labels, baseline if any(baseline) else [])


def _facts(groups: Sequence[Group]) -> dict[str, list[str]]:
    images = [str(len(group.image_ids)) for group in groups]
    seeds = [str(len(group.runs)) for group in groups]
    return {
        **({"images": images} if len(set(images)) > 1 else {}),
        **({"seeds": seeds} if len(set(seeds)) > 1 else {}),
        "s / image": [significant(group.seconds_per_image) for group in groups],
        "peak MB": [number(group.peak_memory_mb, 0) for group in groups],
    }


def _counts(groups: Sequence[Group]) -> tuple[str, str]:
    images = counts((len(group.image_ids) for group in groups), "image")
    return images, counts((len(group.runs) for group in groups), "seed")
