"""Numbers and names as a reader wants them: enough digits, the field's spelling, no raw identifiers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime

import numpy as np

TIMES = "\N{MULTIPLICATION SIGN}"
ABSENT = "\N{EN DASH}"
LEVEL = "\N{ALMOST EQUAL TO}"

_ACRONYM = re.compile(
    "brisque|cc|dists|enl|epd|epi|ergas|fid|irw|islr|kl|ks|lpips|mae|mse|ms|musiq|niqe|pslr|psnr|rgb|rmse|roa|sam|scc|ssim|uqi|vif|y"
)


def metric_title(name: str) -> str:
    """`kernel_psnr` as Kernel PSNR."""
    words = [word.upper() if _ACRONYM.fullmatch(word) else word for word in re.split("[_:@]", name)]
    title = " ".join("dB" if word == "db" else word for word in words)
    return title[:1].upper() + title[1:]


def label_value(key: str, value: object) -> str:
    """One choice of a run; a scale is a factor."""
    return f"{TIMES}{value}" if key == "scale" else str(value)


def decimals_for(values: Iterable[float], unit: str) -> int:
    """Digits after the point for a whole column: two for dB, else such that the largest value shows four."""
    if unit == "dB":
        return 2
    largest = max((abs(value) for value in values), default=0.0)
    return 4 if largest == 0 else min(max(3 - math.floor(math.log10(largest)), 0), 8)


def size(pixels: np.ndarray) -> str:
    """Width and height of (H, W, ...)."""
    return f"{pixels.shape[1]} {TIMES} {pixels.shape[0]}"


def enlargement(factors: tuple[int, int]) -> str:
    """Of rows and columns: one factor if they are the same."""
    down, across = factors
    return f"{TIMES}{down}" if down == across else f"{TIMES}{down} down, {TIMES}{across} across"


def number(value: float, decimals: int) -> str:
    """A fixed number of digits, no negative zero, a real minus sign."""
    text = f"{value:.{decimals}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "\N{MINUS SIGN}")


def signed(value: float, decimals: int) -> str:
    """A difference: a plus or a minus, but nothing before zero."""
    text = number(value, decimals)
    return f"+{text}" if value > 0 and float(text) != 0 else text


def significant(value: float | None) -> str:
    """Three digits that count: seconds and megabytes."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    return f"{value:.{max(2 - math.floor(math.log10(abs(value))), 0)}f}"


def count(amount: int, noun: str) -> str:
    """`1 image`, `2 images`."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def counts(amounts: Iterable[int], noun: str) -> str:
    """`5 images`, or `3 to 5 images` where they differ."""
    low, high = min(amounts := list(amounts)), max(amounts)
    return count(low, noun) if low == high else f"{low} to {high} {noun}s"


def span_of_days(stamps: Iterable[str]) -> str:
    """First and last day of ISO time stamps; what is no time stamp is passed on as it is."""
    days = sorted(_day(stamp) for stamp in stamps)
    return days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"


def _day(stamp: str) -> str:
    try:
        return datetime.fromisoformat(stamp).date().isoformat()
    except ValueError:
        return stamp
