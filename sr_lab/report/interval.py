"""95 % intervals over images and seeds, for a mean and for any difference of means."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float

CONFIDENCE = 0.95
RESAMPLES = 9999
FEWEST = 3  # images

# coefficient, and values of one configuration; NaN where a seed lacks an image
Part = tuple[float, Float[np.ndarray, "images _"]]


def interval(parts: Sequence[Part]) -> tuple[float, float] | None:
    """Interval of a weighted sum of means: `[(1, a)]` a mean, `[(1, a), (-1, b)]` a difference.

    Images are shared by all parts and resampled whole, so that what an image does to all of them cancels. Seeds
    belong to a part: their share of the variance is the between-seeds component of a two-way analysis of variance, so
    that chance within an image is not counted twice. Three seeds, or five images, say little about a variance: either
    share is drawn with the uncertainty of its own (chi-square) scale, which for normal values is Student's factor.
    A plain bootstrap leaves that out and misses the truth too often at such numbers. None below three images: of two,
    the interval would reach 13 standard errors either way.

    Args:
        parts: rows are the same images in the same order; every image has a value of some seed.

    Source: crossed factors as in Owen & Eckles 2012, "Bootstrapping data arrays of arbitrary order"; scales as in
    the generalized intervals of Weerahandi 1993.
    """
    images = parts[0][1].shape[0]
    if images < FEWEST:
        return None
    values = sum(coefficient * np.nanmean(matrix, axis=1) for coefficient, matrix in parts)
    centre = float(np.mean(values))
    draws = _image_weights(images) @ (values - centre)
    for place, (coefficient, matrix) in enumerate(parts):
        draws = draws + coefficient * _seed_error(matrix) * _student(matrix.shape[1] - 1, place)
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return centre + float(low), centre + float(high)


def _seed_error(matrix: Float[np.ndarray, "images seeds"]) -> float:
    """Standard error of the mean over seeds that is due to seeds as such, on the images that all of them have."""
    whole = matrix[np.isfinite(matrix).all(axis=1)]
    images, seeds = whole.shape
    if seeds < 2 or images < 1:
        return 0.0
    by_seed = whole.mean(axis=0)
    within = 0.0
    if images > 1:
        rest = whole - whole.mean(axis=1, keepdims=True) - by_seed + whole.mean()
        within = float((rest**2).sum()) / ((images - 1) * (seeds - 1)) / images
    return max(float(by_seed.var(ddof=1)) - within, 0.0) ** 0.5 / seeds**0.5


@lru_cache(maxsize=4)
def _image_weights(images: int) -> Float[np.ndarray, "resamples images"]:
    """Rows that turn deviations into one draw of the error of their mean; the same in every report."""
    random = np.random.default_rng(0)
    counts = random.multinomial(images, np.full(images, 1 / images), RESAMPLES) / images
    # n / (n - 1): a resample varies less than a sample by that
    scale = images / random.chisquare(images - 1, (RESAMPLES, 1))
    return counts * scale**0.5


@lru_cache(maxsize=64)
def _student(freedom: int, place: int) -> Float[np.ndarray, " resamples"] | float:
    return np.random.default_rng([1, place]).standard_t(freedom, RESAMPLES) if freedom > 0 else 0.0
