"""Column stripes are found, and what is no stripe is left."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_lab.scenes.infrared.destripe import column_offsets, without_stripes


def scene(height: int = 96, width: int = 120) -> torch.Tensor:
    """Smooth, with a few objects and a little noise."""
    rows, columns = np.mgrid[:height, :width]
    image = 0.4 + 0.2 * np.sin(rows / 17) * np.cos(columns / 23)
    image[10:40, 30:36] += 0.3
    image[60:80, 70:110] -= 0.2
    noise = 0.01 * np.random.default_rng(0).standard_normal(image.shape)
    return torch.from_numpy(image + noise)[None, None]


def white_stripes(strength: float, width: int = 120) -> torch.Tensor:
    drawn = torch.randn(1, 1, 1, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return strength * drawn


def test_stripes_are_found() -> None:
    stripes = white_stripes(0.05)
    found = column_offsets(scene() + stripes)
    left = (found - stripes)[0, 0, 0]
    assert left.std() < 0.4 * stripes.std()  # a running mean over 15 columns keeps a fifteenth of their power
    assert np.corrcoef(found.flatten(), stripes.flatten())[0, 1] > 0.93


def test_an_image_without_stripes_stays() -> None:
    assert (without_stripes(scene()) - scene()).abs().max() < 0.005


def test_a_facade_is_no_stripe() -> None:
    """Columns of a building over half of the height, as wide as stripes."""
    image = scene()
    facade = white_stripes(0.1)
    image[..., 40:88, :] += facade
    assert column_offsets(image).abs().max() < 0.01


def test_an_object_of_less_than_half_the_height_is_no_stripe() -> None:
    image = scene()
    image[..., :40, 50] += 0.5
    assert column_offsets(image)[0, 0, 0, 50].abs() < 0.02


@settings(deadline=None, max_examples=25)
@given(st.integers(3, 40), st.integers(3, 40), st.floats(0.1, 100), st.floats(-50, 50))
def test_the_mean_stays_and_units_do_not_matter(height: int, width: int, gain: float, offset: float) -> None:
    image = torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    offsets = column_offsets(image)
    torch.testing.assert_close(offsets.mean(-1), torch.zeros(2, 1, 1).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(column_offsets(gain * image + offset), gain * offsets, atol=1e-6, rtol=1e-6)
