"""Orthogonal matching pursuit on points whose places and values are known."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_lab.degradation.band import in_band
from sr_lab.methods.matching_pursuit import pursued, waves


def test_places_and_values_are_found() -> None:
    side, truth = 48, [(10.25, 30.5, 2 + 1j), (33.0, 12.125, -1.5j)]
    k = in_band(side, 0.75)
    spectrum = sum(
        value
        * torch.exp(-2j * math.pi * row * k[:, None].double() / side)
        * torch.exp(-2j * math.pi * column * k.double() / side)
        for row, column, value in truth
    )
    assert isinstance(spectrum, torch.Tensor)
    found = pursued(spectrum, k, k, (side, side), 10, 1e-6)
    np.testing.assert_allclose(found.place, [place[:2] for place in truth], atol=1e-9)
    np.testing.assert_allclose(found.value, [place[2] for place in truth], atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.floats(8, 40), st.floats(8, 40), st.floats(0, 6.28))
def test_a_point_between_the_steps_is_found(row: float, column: float, phase: float) -> None:
    rows, columns = in_band(48, 0.7), in_band(50, 0.5)
    place = torch.tensor([[row, column]], dtype=torch.float64)
    value = 2 * np.exp(1j * phase)
    spectrum = value * waves(place[:, 0], rows, 48).mT * waves(place[:, 1], columns, 50)
    found = pursued(spectrum, rows, columns, (48, 50), 1, 0.0)
    np.testing.assert_allclose(found.place, place, atol=1 / 128 + 1e-9)
    np.testing.assert_allclose(found.value, [value], atol=0.02)


def test_the_search_stops_at_what_may_stay() -> None:
    k = in_band(32, 0.7)
    noise = torch.randn(len(k), len(k), dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    few, more = (pursued(noise, k, k, (32, 32), 12, residual) for residual in (0.9, 0.0))
    assert 0 < len(few.value) < 12 == len(more.value)
