"""Wording of configuration errors."""

import difflib
from collections.abc import Iterable


def nearest(value: object, allowed: Iterable[object]) -> str:
    """`; did you mean 'x'?` for the nearest allowed value, or nothing."""
    match = difflib.get_close_matches(str(value), [str(item) for item in allowed], n=1, cutoff=0.5)
    return f"; did you mean '{match[0]}'?" if match else ""


def listing(values: Iterable[object], limit: int = 20) -> str:
    """`allowed: a, b, c`."""
    names = [str(value) for value in values]
    return f"allowed: {', '.join(names[:limit])}{', ...' if len(names) > limit else ''}"
