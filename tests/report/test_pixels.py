from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from sr_lab.report.detail import Region
from sr_lab.report.pixels import (
    centre_of_mass,
    data_address,
    enlarge,
    kernel_picture,
    levels,
    shrink,
    with_frame,
)


def _decoded(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"))


def test_levels_round_clip_and_blacken_nan() -> None:
    pixels = np.array([[[0.0], [1.0], [0.499 / 255], [0.501 / 255], [1.7], [-3.0], [np.nan]]], np.float32)
    assert levels(pixels)[0, :, 0].tolist() == [0, 255, 0, 1, 255, 0, 0]
    every = (np.arange(256, dtype=np.float32) / 255)[None, :, None]
    assert levels(every)[0, :, 2].tolist() == list(range(256))
    with pytest.raises(ValueError, match="not 2"):
        levels(np.zeros((4, 4, 2)))


def test_levels_leave_their_input_alone() -> None:
    pixels = np.full((2, 2, 3), 0.5)
    levels(pixels)
    assert (pixels == 0.5).all()


def test_enlarge_and_shrink() -> None:
    assert enlarge(np.array([[1, 2]]), 2).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]
    assert shrink(np.zeros((400, 100, 3), np.uint8), 50).shape == (50, 12, 3)
    assert shrink(np.zeros((40, 10, 3), np.uint8), 50).shape == (40, 10, 3)


@pytest.mark.parametrize("grey", [True, False])
def test_data_address_is_exact(grey: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    pixels = pixels[..., :1].repeat(3, axis=2) if grey else pixels
    address = data_address(pixels)
    assert address.startswith("data:image/png;base64,")
    assert (_decoded(address) == pixels).all()


def test_kernel_picture_shares_a_scale_and_marks_the_centre_of_mass() -> None:
    kernel = np.zeros((5, 5))
    kernel[3, 1] = 0.5
    shown = kernel_picture(kernel, 1.0, 54)
    assert shown.shape == (50, 50, 3)
    assert shown[35, 15].tolist() == [61, 245, 255]  # the cross, on the middle of weight (3, 1)
    bright, dim = kernel_picture(kernel, 0.5, 54), shown
    assert bright[31, 11].sum() > dim[31, 11].sum() > shown[1, 49].sum()
    assert kernel_picture(np.full((3, 3), np.nan), 0.0, 30).max() <= 4


def test_centre_of_mass() -> None:
    assert centre_of_mass(np.array([[0.0, 0.0], [1.0, 3.0]])) == pytest.approx((1.0, 0.75))
    assert centre_of_mass(np.zeros((3, 3))) is None
    assert centre_of_mass(np.full((3, 3), np.nan)) is None


def test_frame_surrounds_the_region_and_leaves_its_inside() -> None:
    framed = with_frame(np.full((100, 100, 3), 200, np.uint8), Region(10, 20, 15, 10), 2.0)
    assert framed[19, 60].tolist() == [61, 245, 255]
    assert (framed[24:46, 44:56] == 200).all()
    assert (framed[:16] == 200).all()
