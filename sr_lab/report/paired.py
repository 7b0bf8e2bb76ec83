"""Is one configuration better than another? Differences on the same images, with an interval and a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from sr_lab.errors import UserError
from sr_lab.report.aggregate import Estimate, Group
from sr_lab.report.interval import RESAMPLES, interval

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of the means of some configurations, such as one minus another.

    Args:
        images: how many all of them measured, each averaged over seeds first.
        difference: mean over these images, in units of the metric; its sign is not turned by what is better.
        interval: 95 % over images and seeds; None below three images.
        p: two-sided sign-flip permutation test over images (Fisher 1935); None below two images.
        p_holm: the same, corrected for its family of contrasts (Holm 1979); None until that is known.
        effect: mean over standard deviation of the differences (Cohen's d_z); None if they do not vary.
        better: whether the sign is the good one; None for no difference.
        tried: contrasts in the family.
    """

    images: int
    difference: float
    interval: tuple[float, float] | None
    p: float | None
    p_holm: float | None
    effect: float | None
    better: bool | None
    tried: int = 1

    @property
    def could_show(self) -> bool:
        """Whether the test could have come out below the level at all, with so many images and contrasts."""
        return self.images > 1 and self.tried * 2.0 ** (1 - self.images) < SIGNIFICANT

    @property
    def beyond_seeds(self) -> bool:
        """Whether the interval, which knows of seeds, leaves zero out."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]

    @property
    def significant(self) -> bool:
        """Shown on these images by the corrected test, and not within what other seeds might give."""
        return self.p_holm is not None and self.p_holm < SIGNIFICANT and self.beyond_seeds


@dataclass(frozen=True)
class Comparison:
    """A configuration minus the baseline in one metric."""

    group: Group
    metric: str
    contrast: Contrast


def find_baseline(groups: Sequence[Group], choice: Mapping[str, str]) -> list[Group]:
    """Groups whose labels, or failing these their name or settings, are those that were asked for.

    A value `none` asks for groups without that label: `start=none`.

    Raises:
        UserError: there is none.
    """
    found = [
        group
        for group in groups
        if all((_label(group, key) or "none") == value for key, value in choice.items())
    ]
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
        theirs = baseline.estimates.get(metric)
        made = [
            (group, one)
            for group in groups
            if group is not baseline
            and (ours := group.estimates.get(metric)) is not None
            and theirs is not None
            and (one := contrast([(1.0, ours), (-1.0, theirs)])) is not None
        ]
        corrected = correct([one for _, one in made])
        found += [Comparison(group, metric, one) for (group, _), one in zip(made, corrected, strict=True)]
    return found


def contrast(parts: Sequence[tuple[float, Estimate]]) -> Contrast | None:
    """Sum of coefficient times mean; None without a common protocol and a common image."""
    estimates = [estimate for _, estimate in parts]
    shared = [image for image in estimates[-1].per_image if all(image in e.per_image for e in estimates)]
    if not shared or len({frozenset(estimate.protocols) for estimate in estimates}) > 1:
        return None
    differences = [sum(c * estimate.per_image[image] for c, estimate in parts) for image in shared]
    mean = float(np.mean(differences))
    deviation = float(np.std(differences, ddof=1)) if len(shared) > 1 else 0.0
    return Contrast(
        len(shared),
        mean,
        interval([(c, estimate.matrix(shared)) for c, estimate in parts]),
        sign_flip_p(differences),
        None,
        mean / deviation if deviation > 0 else None,
        None if mean == 0 else (mean > 0) == estimates[0].higher_is_better,
    )


def correct(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The same contrasts, each with its p-value corrected for the number of them."""
    tried = [one.p for one in contrasts if one.p is not None]
    corrected = iter(holm(tried))
    return [
        replace(one, p_holm=next(corrected), tried=len(tried)) if one.p is not None else one
        for one in contrasts
    ]


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
    values = np.asarray(differences)
    signs = _signs(len(values))
    # two patterns that agree on paper may differ in the last bit
    extreme = np.abs(signs @ values) >= abs(values.sum()) * (1 - 1e-12) - 1e-300
    if len(signs) == RESAMPLES:
        return (1 + int(extreme.sum())) / (1 + RESAMPLES)  # the pattern that was seen counts as one
    return float(extreme.mean())


@lru_cache(maxsize=4)
def _signs(number: int) -> Float[np.ndarray, "patterns number"]:
    """All patterns of signs, or as many random ones; the same in every report."""
    if 2**number <= RESAMPLES:
        return 1.0 - 2.0 * (np.arange(2**number)[:, None] >> np.arange(number) & 1)
    return np.random.default_rng(0).choice([-1.0, 1.0], (RESAMPLES, number))


def _label(group: Group, key: str) -> str | None:
    """A label, the name of the run, or a setting of its config by its dotted path."""
    record = group.runs[0].record
    value: object = group.labels.get(key, record.name if key == "name" else None)
    if value is None:
        value = record.config
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    return None if value is None or isinstance(value, Mapping) else str(value)
