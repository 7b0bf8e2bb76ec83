"""The space of a search, in Hydra's grammar, and how Optuna draws from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sr_lab.errors import UserError

if TYPE_CHECKING:
    from optuna import Trial

Draw = Callable[["Trial"], object]


@dataclass(frozen=True)
class Space:
    """What is searched: by key how a value is drawn, and the overrides that stay."""

    draws: Mapping[str, Draw]
    fixed: list[str]

    def overrides(self, trial: Trial) -> list[str]:
        """Overrides of one trial; of a trial from the store, the values it was given then."""
        return [*self.fixed, *(f"{key}={draw(trial)}" for key, draw in self.draws.items())]


def read_space(overrides: Sequence[str]) -> Space:
    """Tell what is searched from what is fixed.

    `key=interval(a,b)` is a number, `tag(log,interval(a,b))` one on a logarithmic scale, `int(interval(a,b))` a whole
    one, `range(a,b,step)` a number of the grid (without b), `a,b` or `choice(a,b)` one of these.

    Raises:
        UserError: malformed, a sweep that has no meaning here, or nothing to search.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    draws: dict[str, Draw] = {}
    fixed: list[str] = []
    for text in overrides:
        try:
            (override,) = OverridesParser.create().parse_overrides([text])
        except HydraException as error:
            fix = "overrides are key=value; search with interval(a,b), range(a,b) or a,b"
            raise UserError(str(error).splitlines()[0], where=text, fix=fix) from error
        if override.is_sweep_override():
            key = override.get_key_element()
            draws[key] = _draw(key, text, override.value(), override)
        else:
            fixed.append(text)
    if not draws:
        fix = "for example 'method.lr=tag(log,interval(1e-4,1e-2))' or prior=fkp,softmax"
        raise UserError("nothing to search", where="overrides", fix=fix)
    return Space(draws, fixed)


def _draw(key: str, text: str, sweep: object, override: object) -> Draw:
    from hydra.core.override_parser.types import (
        ChoiceSweep,
        IntervalSweep,
        Override,
        RangeSweep,
    )

    assert isinstance(override, Override)
    if isinstance(sweep, IntervalSweep):
        start, end, log = sweep.start, sweep.end, "log" in sweep.tags
        assert start is not None
        assert end is not None
        if start >= end or (log and start <= 0):
            raise UserError(
                "an empty interval", where=text, fix="give the lower end first, above 0 if it is log"
            )
        if isinstance(start, int) and isinstance(end, int) and text.partition("=")[2].startswith("int("):
            return lambda trial: trial.suggest_int(key, int(start), int(end), log=log)
        return lambda trial: trial.suggest_float(key, float(start), float(end), log=log)
    if isinstance(sweep, RangeSweep):
        values = list(sweep.range())
        if not values:
            raise UserError("an empty range", where=text, fix="range(start,stop,step), without stop")
        return lambda trial: (
            trial.suggest_categorical(key, values) if len(values) < 2 else _step(trial, key, values)
        )
    if isinstance(sweep, ChoiceSweep):
        choices = list(override.sweep_string_iterator())
        return lambda trial: trial.suggest_categorical(key, choices)
    raise UserError("cannot be searched", where=text, fix="use interval(a,b), range(a,b) or a,b")


def _step(trial: Trial, key: str, values: Sequence[int | float]) -> int | float:
    """One of equally spaced numbers, whose order the sampler may use."""
    first, second, last = values[0], values[1], values[-1]
    if all(isinstance(value, int) for value in values):
        return trial.suggest_int(key, int(first), int(last), step=int(second - first))
    return trial.suggest_float(key, float(first), float(last), step=float(second - first))
