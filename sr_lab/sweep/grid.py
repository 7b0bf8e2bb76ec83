"""Grids of studies: factors with levels, and the cells that a design takes of their product."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from sr_lab.config.errors import listing, nearest
from sr_lab.config.schema import Strict, parse
from sr_lab.errors import UserError

GRID = "grid.yaml"
Scalar = str | int | float | bool | None
Level = Scalar | list[Any]


class Grid(Strict):
    """A study file.

    Args:
        question: that the study answers.
        base: overrides that all cells share.
        factors: by config key its levels, or by any name its levels with the overrides that each stands for.
        design: `full`, every combination; `leave_one_out`, the first level of every factor and what differs from it
            in one factor; `fractional`, the combinations that the generators allow.
        generators: of a fraction: factor -> others; its level number is the sum of theirs, modulo the count of levels.
        exclude: combinations to leave out, by level of some factors.
        seeds: of every cell.
        comparisons: labels of the configurations that the others are compared with, one report for each.
    """

    question: str
    base: list[str] = Field([])
    factors: dict[str, list[Level] | dict[str, list[str]]] = Field(min_length=1)
    design: Literal["full", "leave_one_out", "fractional"] = "full"
    generators: dict[str, list[str]] = Field({})
    exclude: list[dict[str, Level]] = Field([])
    seeds: list[int] = Field([0], min_length=1)
    comparisons: list[dict[str, Scalar]] = Field([])

    @cached_property
    def levels(self) -> dict[str, dict[str, list[str]]]:
        """By factor and name of the level, its overrides."""
        return {
            factor: dict(levels)
            if isinstance(levels, dict)
            else {written(level): [f"{factor}={written(level)}"] for level in levels}
            for factor, levels in self.factors.items()
        }

    def cells(self) -> list[dict[str, str]]:
        """Level of every factor for each cell.

        Raises:
            UserError: generators or exclusions that fit no factor or level, or nothing left.
        """
        names = {factor: list(levels) for factor, levels in self.levels.items()}
        if self.generators and self.design != "fractional":
            raise UserError(
                "only a fraction has generators", where="generators", fix="set design: fractional"
            )
        chosen = {"full": _full, "leave_one_out": _leave_one_out, "fractional": self._fraction}[self.design](
            names
        )
        excluded = [self._exclusion(index, entry) for index, entry in enumerate(self.exclude)]
        kept = [cell for cell in chosen if not any(rule.items() <= cell.items() for rule in excluded)]
        for index, rule in enumerate(excluded):
            if not any(rule.items() <= cell.items() for cell in chosen):
                raise UserError(
                    "excludes no cell", where=f"exclude[{index}]", fix="correct it or take it out"
                )
        if not kept:
            raise UserError("no cell is left", where="exclude", fix="exclude less")
        return kept

    def overrides(self, cell: Mapping[str, str], seed: int) -> list[str]:
        """Of one job: the base, then the levels, then the seed."""
        own = [override for factor, level in cell.items() for override in self.levels[factor][level]]
        return [*self.base, *own, f"seed={seed}"]

    def _fraction(self, names: Mapping[str, list[str]]) -> list[dict[str, str]]:
        if not self.generators:
            fix = "for example generators: {c: [a, b]}, which halves three factors of two levels"
            raise UserError("a fraction needs generators", where="generators", fix=fix)
        for factor, others in self.generators.items():
            where = f"generators.{factor}"
            for name in (factor, *others):
                if name not in names:
                    raise UserError(
                        f"no factor '{name}'" + nearest(name, names), where=where, fix=listing(names)
                    )
                if len(names[name]) != len(names[factor]):
                    raise UserError(
                        f"'{factor}' has {len(names[factor])} levels and '{name}' has {len(names[name])}",
                        where=where,
                        fix="generators tie factors of equally many levels",
                    )
            if set(others) & set(self.generators) or not others:
                raise UserError(
                    "is made of no free factor", where=where, fix="name factors without a generator"
                )
        free = [factor for factor in names if factor not in self.generators]
        cells = []
        for numbers in itertools.product(*(range(len(names[factor])) for factor in free)):
            number = dict(zip(free, numbers, strict=True))
            for factor, others in self.generators.items():
                number[factor] = sum(number[other] for other in others) % len(names[factor])
            cells.append({factor: names[factor][number[factor]] for factor in names})
        return cells

    def _exclusion(self, index: int, entry: Mapping[str, Level]) -> dict[str, str]:
        rule = {factor: written(level) for factor, level in entry.items()}
        for factor, level in rule.items():
            where = f"exclude[{index}].{factor}"
            if factor not in self.levels:
                fix = listing(self.levels)
                raise UserError(f"no factor '{factor}'" + nearest(factor, self.levels), where=where, fix=fix)
            if level not in self.levels[factor]:
                fix = listing(self.levels[factor])
                raise UserError(
                    f"no level '{level}'" + nearest(level, self.levels[factor]), where=where, fix=fix
                )
        return rule


def read_grid(path: Path) -> Grid:
    """Read a study file.

    Raises:
        UserError: missing, not YAML, or an entry at fault, with its place.
    """
    import yaml
    from omegaconf import OmegaConf

    try:
        data = OmegaConf.to_container(OmegaConf.load(path))  # reads 1e-3 as a number, as Hydra does
    except FileNotFoundError as error:
        fix = f"a study is a folder with a {GRID}; see experiments/"
        raise UserError("no such file", where=str(path), fix=fix) from error
    except yaml.YAMLError as error:
        raise UserError(f"not YAML: {error}", where=str(path), fix="correct it there") from error
    if not isinstance(data, dict):
        raise UserError("not a mapping", where=str(path), fix="it needs at least a question and factors")
    return parse(Grid, {str(key): value for key, value in data.items()}, path.name)


def written(level: Level) -> str:
    """A level as the value of an override."""
    if isinstance(level, list):
        return f"[{','.join(written(item) for item in level)}]"
    if level is None or isinstance(level, bool | int | float):
        return json.dumps(level)
    plain = re.fullmatch(r"[A-Za-z_/]([\w./:@%+-]*\w)?", level)
    if plain and level.lower() not in ("true", "false", "null", "inf", "nan"):
        return level
    # inside Hydra's quotes a backslash is itself, unless a quote follows
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + (f"\\{found[2]}" if found[2] else ""), level)
    return f"'{escaped}'"


def resolution(generators: Mapping[str, list[str]]) -> int:
    """Of a two-level fraction: length of the shortest word. III mixes main effects with pairs, IV pairs with pairs."""
    words = [{factor, *others} for factor, others in generators.items()]
    lengths = []
    for count in range(1, len(words) + 1):
        for some in itertools.combinations(words, count):
            product: set[str] = set()
            for word in some:
                product ^= word
            lengths.append(len(product))
    return min(lengths)


def _full(names: Mapping[str, list[str]]) -> list[dict[str, str]]:
    return [dict(zip(names, cell, strict=True)) for cell in itertools.product(*names.values())]


def _leave_one_out(names: Mapping[str, list[str]]) -> list[dict[str, str]]:
    recipe = {factor: levels[0] for factor, levels in names.items()}
    return [recipe, *({**recipe, factor: level} for factor, levels in names.items() for level in levels[1:])]
