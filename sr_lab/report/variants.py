"""Columns that tell rows apart whose labels do not: the settings of their configs that differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sr_lab.config.signature import EXCLUDED, EXCLUDED_TRAINER
from sr_lab.report.aggregate import Group
from sr_lab.report.wording import ABSENT

MAX_COLUMNS = 4


def variant_columns(groups: Sequence[Group]) -> dict[str, list[str]]:
    """Column titles and a value per group; empty if the labels alone tell the groups apart.

    Settings: all that differ if they are few, or those that tell most; else names of runs, else the first digits of
    signatures.
    """
    twins: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        twins[tuple(sorted(group.labels.items()))].append(index)
    alike = [members for members in twins.values() if len(members) > 1]
    if not alike:
        return {}
    settings = [dict(_flat(group.runs[0].record.config)) for group in groups]
    keys = dict.fromkeys(
        key
        for members in alike
        for member in members
        for key in settings[member]
        if len({settings[other].get(key) for other in members}) > 1
    )
    # a setting that only some of them have comes with another one, such as the class it belongs to
    shared = [
        k for k in keys if all(sum(k in settings[m] for m in those) in (0, len(those)) for those in alike)
    ]
    candidates = [
        {_title(key): [_value(found.get(key, ABSENT)) for found in settings] for key in chosen}
        for chosen in (shared, keys, _telling(keys, settings, alike))
        if len(chosen) <= MAX_COLUMNS
    ]
    candidates.append({"run": [group.runs[0].record.name for group in groups]})
    for columns in candidates:
        rows = list(zip(*columns.values(), strict=True)) if columns else [()] * len(groups)
        if all(len({rows[member] for member in members}) == len(members) for members in alike):
            return columns
    return {"signature": [group.signature[:8] for group in groups]}


def _telling(
    keys: Iterable[str], settings: Sequence[Mapping[str, str]], alike: Sequence[Sequence[int]]
) -> list[str]:
    """Keys that tell the most rows apart, one after the other, until nothing is gained."""
    chosen: list[str] = []

    def kinds(of: Sequence[str]) -> int:
        return sum(len({tuple(settings[m].get(key) for key in of) for m in members}) for members in alike)

    left = list(keys)
    while left:
        best = max(left, key=lambda key: kinds([*chosen, key]))
        if kinds([*chosen, best]) == kinds(chosen):
            break
        chosen.append(best)
        left.remove(best)
    return chosen


def _title(key: str) -> str:
    return key.removesuffix("._target_")


def _value(text: str) -> str:
    """The name of a class without the module that it lives in."""
    return text.rpartition(".")[2] if text.startswith("sr_lab.") else text


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if (not prefix and key in EXCLUDED) or (prefix == "trainer." and key in EXCLUDED_TRAINER):
            continue
        if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            # such as corruptions, by their place
            value = {str(place): item for place, item in enumerate(value)}
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
