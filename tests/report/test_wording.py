from __future__ import annotations

import pytest

from sr_lab.report.wording import (
    count,
    counts,
    decimals_for,
    label_value,
    metric_title,
    number,
    significant,
    span_of_days,
)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("psnr_y", "PSNR Y"),
        ("bias_db", "Bias dB"),
        ("kernel_psnr_aligned", "Kernel PSNR aligned"),
        ("pyiqa:lpips", "Pyiqa LPIPS"),
        ("unheard", "Unheard"),
    ],
)
def test_metric_title(name: str, title: str) -> None:
    assert metric_title(name) == title


@pytest.mark.parametrize(
    ("values", "unit", "decimals"),
    [
        ([26.1], "dB", 2),
        ([0.79, 0.8], "", 4),
        ([0.0012], "", 6),
        ([12.5], "", 2),
        ([12345.0], "", 0),
        ([0.0], "", 4),
    ],
)
def test_decimals_show_four_digits_of_the_largest_value(
    values: list[float], unit: str, decimals: int
) -> None:
    assert decimals_for(values, unit) == decimals


def test_numbers() -> None:
    assert number(26.114, 2) == "26.11"
    assert number(-1.5, 1) == "\N{MINUS SIGN}1.5"
    assert number(-0.001, 2) == "0.00"
    assert [significant(value) for value in (310.2, 1.234, 0.01234, 0.0)] == ["310", "1.23", "0.0123", "0"]
    assert significant(None) == significant(float("nan")) == "\N{EN DASH}"


def test_words() -> None:
    assert label_value("scale", 4) == "\N{MULTIPLICATION SIGN}4"
    assert label_value("prior", "fkp") == "fkp"
    assert (count(1, "run"), count(2, "run")) == ("1 run", "2 runs")
    assert (counts([5, 5], "image"), counts([3, 5, 4], "image")) == ("5 images", "3 to 5 images")
    assert span_of_days(["2026-11-21T08:00:00+00:00", "2026-11-20T23:00:00"]) == "2026-11-20 to 2026-11-21"
    assert span_of_days(["yesterday"]) == "yesterday"
