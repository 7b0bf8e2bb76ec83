import numpy as np
import pytest
import torch

from sr_lab.errors import UserError
from sr_lab.io.complex import amplitude, as_channels, as_complex, intensity


def test_channels_are_the_two_parts() -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(2, 5, 6)) + 1j * rng.normal(size=(2, 5, 6))).astype(np.complex64)
    image = as_channels(torch.from_numpy(values))
    assert image.shape == (2, 2, 5, 6)
    np.testing.assert_array_equal(image[:, 1].numpy(), values.imag)
    np.testing.assert_array_equal(as_complex(image).numpy(), values)
    np.testing.assert_allclose(intensity(image)[:, 0].numpy(), np.abs(values) ** 2, rtol=1e-5)
    np.testing.assert_allclose(amplitude(image)[:, 0].numpy(), np.abs(values), rtol=1e-6)


def test_overshoots_of_a_detected_image_hold_no_power() -> None:
    image = torch.tensor([[[[-1.0, 2.0]]]])
    assert intensity(image).tolist() == [[[[0, 4]]]]
    assert amplitude(image).tolist() == [[[[0, 2]]]]
    with pytest.raises(UserError, match="needs a complex image"):
        as_complex(image)
