"""Metrics that only mean something beside another one; they stand in its cells and have no column."""

from __future__ import annotations

from collections.abc import Collection

BASELINE = "bicubic"
_FLOOR = "_zero"
_STAGE = "@"


def floor_of(name: str, names: Collection[str]) -> str | None:
    """The metric that tells what a trivial answer scores: an all-zero kernel on `kernel_psnr`."""
    return name + _FLOOR if name + _FLOOR in names else None


def stages_of(name: str, names: Collection[str]) -> dict[str, str]:
    """Metrics of the same kind on other pictures of the run, by picture: `psnr_y@bicubic` for bicubic."""
    return {other.removeprefix(name + _STAGE): other for other in names if other.startswith(name + _STAGE)}


def is_companion(name: str, names: Collection[str]) -> bool:
    """Whether a metric is a floor, or of another picture than SR where SR has it too."""
    return name.endswith(_FLOOR) or (_STAGE in name and name.partition(_STAGE)[0] in names)
