"""Records to estimates: images are the sample, seeds are repetitions of one group."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from sr_lab.report.collection import Key, Run, configuration
from sr_lab.report.interval import interval


@dataclass(frozen=True)
class Estimate:
    """One metric of one group.

    Args:
        mean: over images, each first averaged over its seeds; over seeds, if there are no values per image.
        interval: 95 % for the mean over images and seeds; None below three images.
        spread: standard deviation (n - 1) over seeds of a seed's mean over the images that all seeds have;
            None below two seeds.
        per_image: value of every image, averaged over seeds.
        by_seed: value of every image, by seed: what a paired test needs.
        protocols: all that were used; more than one is a fault of the data.
    """

    mean: float
    interval: tuple[float, float] | None
    spread: float | None
    per_image: dict[str, float]
    by_seed: dict[int, dict[str, float]]
    unit: str
    higher_is_better: bool
    protocols: tuple[str, ...]

    def matrix(self, images: Sequence[str]) -> Float[np.ndarray, "images seeds"]:
        """Values of these images, a column a seed; NaN where a seed lacks one."""
        columns = [[values.get(image, math.nan) for image in images] for values in self.by_seed.values()]
        return np.array(columns, dtype=np.float64).reshape(len(columns), len(images)).T


@dataclass(frozen=True)
class Group:
    """The runs of one configuration, one a seed, ordered by seed."""

    labels: dict[str, str | int]
    signature: str
    runs: list[Run]

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """By metric, in the order of the records."""
        names = dict.fromkeys(name for run in self.runs for name in run.record.metrics)
        found = {name: _estimate(self.runs, name) for name in names}
        return {name: estimate for name, estimate in found.items() if estimate}

    @property
    def is_bound(self) -> bool:
        """Whether the true kernel was given away, so that the group is a bound and no competitor."""
        return self.labels.get("prior") == "oracle"

    @property
    def image_ids(self) -> list[str]:
        """Every image that a run of the group restored or measured."""
        measured = (ids for run in self.runs for m in run.record.metrics.values() for ids in m.per_image)
        return list(dict.fromkeys([*(ids for run in self.runs for ids in run.record.images), *measured]))

    @property
    def seconds_per_image(self) -> float | None:
        """Mean over all images and seeds."""
        seconds = [files.seconds for run in self.runs for files in run.record.images.values()]
        return float(np.mean(seconds)) if seconds else None

    @property
    def peak_memory_mb(self) -> float:
        """The greatest of all runs."""
        return max(run.record.peak_memory_mb for run in self.runs)


def group_runs(runs: Iterable[Run]) -> list[Group]:
    """Put runs together that differ in nothing but their seed; groups in the order of their first run."""
    groups: dict[Key, list[Run]] = defaultdict(list)
    for run in runs:
        groups[configuration(run.record)].append(run)
    return [
        Group(dict(members[0].record.labels), signature, sorted(members, key=lambda run: run.record.seed))
        for (_, signature), members in groups.items()
    ]


def finite(values: Mapping[str, float | None]) -> dict[str, float]:
    """The values that are there."""
    return {name: value for name, value in values.items() if value is not None and math.isfinite(value)}


def _estimate(runs: Sequence[Run], name: str) -> Estimate | None:
    measured = {run.record.seed: run.record.metrics[name] for run in runs if name in run.record.metrics}
    first = next(iter(measured.values()))
    by_seed = {seed: values for seed, m in measured.items() if (values := finite(m.per_image))}
    shared = set.intersection(*map(set, by_seed.values())) if by_seed else set()
    images = dict.fromkeys(image for values in by_seed.values() for image in values)
    per_image = {
        image: float(np.mean([values[image] for values in by_seed.values() if image in values]))
        for image in images
    }
    if any(m.per_image for m in measured.values()):
        means = [float(np.mean([values[i] for i in shared])) for values in by_seed.values()] if shared else []
        mean = float(np.mean(list(per_image.values()))) if per_image else math.nan
    else:
        means = list(finite({str(seed): m.mean for seed, m in measured.items()}).values())
        mean = float(np.mean(means)) if means else math.nan
    if math.isnan(mean):
        return None
    estimate = Estimate(
        mean=mean,
        interval=None,
        spread=float(np.std(means, ddof=1)) if len(means) > 1 else None,
        per_image=per_image,
        by_seed=by_seed,
        unit=first.unit,
        higher_is_better=first.higher_is_better,
        protocols=tuple(dict.fromkeys(m.protocol for m in measured.values())),
    )
    if not per_image:
        return estimate
    return replace(estimate, interval=interval([(1.0, estimate.matrix(list(per_image)))]))
