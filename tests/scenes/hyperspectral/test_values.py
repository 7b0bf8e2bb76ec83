"""One scale for all bands, and pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sr_lab.scenes.hyperspectral.normalise import Normalisation
from sr_lab.scenes.hyperspectral.render import FALSE_COLOUR, Composite, three_bands


@given(hnp.arrays(np.uint16, (3, 4, 5)), hnp.arrays(np.uint16, (2, 4, 5)))
@settings(max_examples=40, deadline=None)
def test_integers_come_back_exactly(lr: np.ndarray, other: np.ndarray) -> None:
    scale = Normalisation.of([lr.astype(np.float32)])
    for values in (lr, other):  # also beyond the scale
        back = scale.inverse(scale.forward(values.astype(np.float32)))
        assert back.dtype == np.float64
        np.testing.assert_array_equal(np.rint(back).astype(np.int64), values)


def test_the_scale_is_a_percentile_of_all_bands_together() -> None:
    values = np.random.default_rng(0).random((4, 50, 50)).astype(np.float32)
    values[0] *= 100
    values[0, 0, 0] = 1e6  # one broken pixel
    scale = Normalisation.of([values])
    assert scale.unit == pytest.approx(np.percentile(values, 99.9))
    assert scale.unit < 100
    assert scale.forward(values).max() > 1, "nothing is clipped"
    assert Normalisation.of([values[:2], values[2:]]) == scale


@pytest.mark.parametrize(("value", "unit"), [(0.0, 1.0), (-30.0, 30.0), (7.0, 7.0)])
def test_flat_and_negative_cubes_have_a_scale(value: float, unit: float) -> None:
    assert Normalisation.of([np.full((2, 3, 3), value, np.float32)]).unit == unit


def test_bands_nearest_to_the_colours() -> None:
    wavelengths = np.arange(400.0, 1000, 10)
    assert three_bands(60, wavelengths) == [24, 15, 6]
    assert three_bands(60, wavelengths, FALSE_COLOUR) == [46, 25, 15]
    shuffled = np.random.default_rng(0).permutation(wavelengths)
    assert [shuffled[band] for band in three_bands(60, shuffled)] == [640, 550, 460]


@pytest.mark.parametrize(
    ("bands", "wavelengths", "expected"),
    [
        (60, None, [50, 30, 10]),
        (1, None, [0, 0, 0]),
        (2, None, [1, 1, 0]),
        (500, None, [416, 250, 83]),
        (60, np.linspace(1000, 2500, 60), [50, 30, 10]),  # no visible band
        (3, np.array([640.0, 641.0, 642.0]), [2, 1, 0]),  # one band nearest to all
        (6, np.array([640.0, 550.0, 460.0]), [5, 3, 1]),  # a list of something else
    ],
)
def test_evenly_spread_bands_where_colours_are_not_known(
    bands: int, wavelengths: np.ndarray | None, expected: list[int]
) -> None:
    assert three_bands(bands, wavelengths) == expected


@given(
    hnp.arrays(np.float32, (5, 6, 7), elements=st.floats(-10, 10, width=32)),
    st.sampled_from([0.0, 1.0, 20.0]),
)
@settings(max_examples=40, deadline=None)
def test_a_picture_is_in_range(cube: np.ndarray, percentile: float) -> None:
    picture = Composite(percentile=percentile)(cube, cube, {})
    assert (picture.shape, picture.dtype) == ((6, 7, 3), np.float32)
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_the_reference_sets_the_contrast() -> None:
    reference = np.random.default_rng(0).random((6, 40, 40)).astype(np.float32)
    show = Composite(percentile=0)
    picture = show(reference, reference, {})
    for channel, band in enumerate(three_bands(6)):
        shown = reference[band]
        expected = (shown - shown.min()) / (shown.max() - shown.min())
        np.testing.assert_allclose(picture[..., channel], expected, atol=1e-6)
    np.testing.assert_array_equal(show(reference[:, :20], reference, {}), picture[:20])
    assert show(0 * reference, reference, {}).max() < 0.01
