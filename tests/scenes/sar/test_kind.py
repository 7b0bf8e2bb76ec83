import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sr_lab.errors import UserError
from sr_lab.scenes.sar.decibels import Decibels
from sr_lab.scenes.sar.kind import Kind, from_intensity, to_intensity


@given(
    hnp.arrays(np.float64, (4, 5), elements=st.floats(1e-12, 1e12)),
    st.sampled_from(["amplitude", "intensity", "log"]),
)
@settings(max_examples=40, deadline=None)
def test_kinds_and_back(values: np.ndarray, kind: Kind) -> None:
    np.testing.assert_allclose(to_intensity(from_intensity(values, kind), kind), values, rtol=1e-12)


def test_kinds_agree_on_one_pixel() -> None:
    pixel = np.array([3 + 4j], np.complex64)
    assert to_intensity(pixel, "slc") == 25
    assert from_intensity(np.array([25.0]), "amplitude") == 5
    assert from_intensity(np.array([25.0]), "log") == pytest.approx(20 * np.log10(5))
    assert from_intensity(np.array([0.0]), "log") == pytest.approx(-300)
    assert to_intensity(np.array([-10], np.int16), "log") == pytest.approx(0.1)
    assert to_intensity(np.array([40000], np.uint16), "amplitude") == 1.6e9, "no integer overflows"


def test_a_wrong_kind_is_refused() -> None:
    with pytest.raises(UserError, match="real values are not of kind 'slc'"):
        to_intensity(np.ones(3), "slc")
    with pytest.raises(UserError, match="complex values are not of kind 'amplitude'"):
        to_intensity(np.ones(3, complex), "amplitude")
    with pytest.raises(UserError, match="no phase"):
        from_intensity(np.ones(3), "slc")


@given(hnp.arrays(np.float64, (20,), elements=st.floats(1e-3, 1e6)))
@settings(max_examples=40, deadline=None)
def test_decibels_are_exactly_undone(values: np.ndarray) -> None:
    scale = Decibels(-30, 20)
    image = torch.from_numpy(values)
    torch.testing.assert_close(scale.log_intensity(scale.forward(image)).exp(), image, rtol=1e-10, atol=0)


def test_decibels_are_the_same_for_every_image() -> None:
    scale = Decibels(-30, 20)
    values = scale.forward(torch.tensor([0.0, 1e-3, 1.0, 100.0, 1e4]))
    torch.testing.assert_close(values, torch.tensor([0.0, 0.0, 0.6, 1.0, 1.4]))
    with pytest.raises(UserError, match="not a range"):
        Decibels(3, 3)
