from typing import Literal

import pytest

from sr_lab.errors import UserError
from sr_lab.metrics import Protocol


def test_describe_names_every_choice():
    assert Protocol.published(4).describe() == "Y (BT.601 studio), border 4, rounded to 8 bit, peak 255"
    assert Protocol.rgb(2).describe() == "RGB, border 2, rounded to 8 bit, peak 255"
    assert Protocol("none", 0, "none", 1.0).describe() == "all channels, border 0, not rounded, peak 1"


@pytest.mark.parametrize(
    ("colour", "border", "rounding", "data_range"),
    [("y", 0, "none", 1.0), ("rgb", 0, "8bit", 1.0), ("none", -1, "none", 1.0), ("none", 0, "none", 0.0)],
)
def test_impossible_protocols_are_refused(
    colour: Literal["y", "rgb", "none"], border: int, rounding: Literal["8bit", "none"], data_range: float
):
    with pytest.raises(UserError, match="metric protocol"):
        Protocol(colour, border, rounding, data_range)
