"""Is one configuration better than another? Differences on the same images, with an interval and a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import permutation_test

from sr_lab.errors import UserError
from sr_lab.report.aggregate import RESAMPLES, Group, bootstrap_interval


@dataclass(frozen=True)
class Comparison:
    """A configuration minus the baseline in one metric.

    Args:
        group: the configuration.
        metric: its name.
        images: how many both measured, each averaged over seeds first.
        difference: mean over these images, in units of the metric; its sign is not turned by what is better.
        interval: 95 % bootstrap interval of `difference`; None below two images.
        p: two-sided sign-flip permutation test of a zero mean (Fisher 1935); None below two images.
        p_holm: the same, corrected for all comparisons of the metric with this baseline (Holm 1979).
        effect: mean over standard deviation of the differences (Cohen's d_z); None if they do not vary.
        better: whether the sign is the good one; None for no difference.
    """

    group: Group
    metric: str
    images: int
    difference: float
    interval: tuple[float, float] | None
    p: float | None
    p_holm: float | None
    effect: float | None
    better: bool | None


def find_baseline(groups: Sequence[Group], choice: Mapping[str, str]) -> list[Group]:
    """Groups whose labels, or failing these the name of the run, are those that were asked for.

    Raises:
        UserError: there is none.
    """
    found = [group for group in groups if all(_label(group, key) == value for key, value in choice.items())]
    if not found:
        asked = ", ".join(f"{key}={value}" for key, value in choice.items())
        known = sorted({f"{key}={_label(group, key)}" for group in groups for key in [*group.labels, "name"]})
        raise UserError(
            f"no configuration has {asked}", where="--baseline", fix=f"choose from {', '.join(known)}"
        )
    return found


def compare(groups: Sequence[Group], baseline: Group, metrics: Sequence[str]) -> list[Comparison]:
    """Every other group against the baseline, metric by metric, where protocols agree and images are shared."""
    found: list[Comparison] = []
    for metric in metrics:
        of_metric = [
            made
            for group in groups
            if group is not baseline and (made := _compare(group, baseline, metric)) is not None
        ]
        corrected = iter(holm([one.p for one in of_metric if one.p is not None]))
        found += [replace(one, p_holm=next(corrected)) if one.p is not None else one for one in of_metric]
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number: step-down, in the order given (Holm 1979)."""
    corrected, greatest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        greatest = max(greatest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = greatest
    return corrected


def sign_flip_p(differences: Sequence[float]) -> float | None:
    """Two-sided p-value of a zero mean under random signs; exact where 2^n is at most the resamples."""
    if len(differences) < 2:
        return None
    if not any(differences):
        return 1.0
    found = permutation_test(
        (np.asarray(differences),),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        n_resamples=RESAMPLES,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def _compare(group: Group, baseline: Group, metric: str) -> Comparison | None:
    ours, theirs = group.estimates.get(metric), baseline.estimates.get(metric)
    if ours is None or theirs is None or set(ours.protocols) != set(theirs.protocols):
        return None
    shared = [image for image in theirs.per_image if image in ours.per_image]
    if not shared:
        return None
    differences = [ours.per_image[image] - theirs.per_image[image] for image in shared]
    mean = float(np.mean(differences))
    deviation = float(np.std(differences, ddof=1)) if len(shared) > 1 else 0.0
    return Comparison(
        group,
        metric,
        len(shared),
        mean,
        bootstrap_interval(differences),
        sign_flip_p(differences),
        None,
        mean / deviation if deviation > 0 else None,
        None if mean == 0 else (mean > 0) == ours.higher_is_better,
    )


def _label(group: Group, key: str) -> str | None:
    value = group.labels.get(key, group.runs[0].record.name if key == "name" else None)
    return None if value is None else str(value)
