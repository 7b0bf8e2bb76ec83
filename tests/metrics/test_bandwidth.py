"""Images that were enlarged use less of their grid."""

import numpy as np
import pytest
from PIL import Image

from sr_lab.metrics.bandwidth import bandwidth

HOW = Image.Resampling


@pytest.fixture(scope="module")
def sharp() -> np.ndarray:
    """8-bit with a spectrum of 1/f^2 up to the corner."""
    rng = np.random.default_rng(0)
    f = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(320))
    f[0, 0] = 1
    spectrum = np.fft.rfft2(rng.normal(size=(256, 320))) / f
    image = np.fft.irfft2(spectrum, (256, 320))
    return np.clip(128 + 40 * image / image.std(), 0, 255).astype(np.uint8)


def test_a_sharp_image_uses_its_grid(sharp: np.ndarray) -> None:
    assert bandwidth(sharp) == pytest.approx(1, abs=0.02)
    assert bandwidth(40.0 * sharp + 3000) == pytest.approx(bandwidth(sharp), abs=0.01), "whatever the units"


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("how", [HOW.BILINEAR, HOW.BICUBIC, HOW.LANCZOS])
def test_enlarged_images_are_found(sharp: np.ndarray, scale: int, how: HOW) -> None:
    image = Image.fromarray(sharp)
    small = image.resize((image.width // scale, image.height // scale), HOW.BICUBIC)
    found = 1 / bandwidth(np.asarray(small.resize(image.size, how)))
    assert 0.75 * scale < found < 1.5 * scale


def test_flat_images_have_none() -> None:
    assert bandwidth(np.full((64, 64), 9, np.uint8)) == 0
