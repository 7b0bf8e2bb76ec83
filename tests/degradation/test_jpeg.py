import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from sr_lab.degradation.jpeg import jpeg
from sr_lab.errors import UserError


def picture(height: int, width: int, channels: int, seed: int = 0) -> torch.Tensor:
    """Smooth random grey with a tint and sharp edges, on whole 8-bit levels."""
    random = np.random.default_rng(seed).standard_normal((channels + 1, height, width))
    planes = np.stack([gaussian_filter(plane, 3) for plane in random])
    smooth = planes[:1] + 0.3 * planes[1:]
    smooth = 0.5 + 0.15 * smooth / smooth.std()
    smooth[:, height // 4 : height // 2, width // 4 : width // 2] += 0.2
    return torch.from_numpy(np.round(np.clip(smooth, 0, 1) * 255) / 255).float()[None]


def pillow(image: torch.Tensor, quality: int) -> torch.Tensor:
    pixels = (image[0].permute(1, 2, 0) * 255).round().byte().numpy()
    stream = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(stream, "JPEG", quality=quality, subsampling=2)
    decoded = np.atleast_3d(np.asarray(Image.open(stream), np.float32) / 255)
    return torch.from_numpy(decoded).permute(2, 0, 1)[None]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [10, 30, 50, 80, 95])
def test_close_to_a_real_codec(channels: int, quality: int):
    image = picture(96, 80, channels)
    ours, real = jpeg(image, torch.tensor([float(quality)])), pillow(image, quality)

    def rms(difference: torch.Tensor) -> float:
        return 255 * difference.square().mean().sqrt().item()

    # a real file also rounds to whole levels, and libjpeg resamples the chroma with another filter
    assert rms(ours - real) < (0.3 if channels == 1 else 0.5) * rms(real - image) + 0.3
    assert rms(ours - image) == pytest.approx(rms(real - image), rel=0.15, abs=0.3)


@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_and_a_quality_per_image(channels: int):
    image = picture(37, 50, channels).repeat(3, 1, 1, 1)
    out = jpeg(image, torch.tensor([5.0, 40.0, 95.0]))
    assert out.shape == image.shape
    assert out.min() >= 0
    assert out.max() <= 1
    errors = (out - image).square().mean((1, 2, 3))
    assert errors[0] > 2 * errors[1] > 4 * errors[2] > 0
    torch.testing.assert_close(out[1:2], jpeg(image[1:2], torch.tensor([40.0])))


def test_edge_blocks_are_as_good_as_the_rest():
    image = picture(41, 41, 3)
    error = (jpeg(image, torch.tensor([60.0])) - image).square().mean((0, 1))
    assert error[-9:].mean() < 3 * error[:32].mean()


@pytest.mark.parametrize("channels", [1, 3])
def test_gradient_flows(channels: int):
    image = picture(20, 20, channels).requires_grad_()
    jpeg(image, torch.tensor([50.0])).square().sum().backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()
    assert image.grad.abs().mean() > 1e-3


@pytest.mark.parametrize("quality", [0.0, 101.0])
def test_quality_out_of_range(quality: float):
    with pytest.raises(UserError, match="qualities"):
        jpeg(picture(16, 16, 3), torch.tensor([quality]))


def test_only_grey_and_rgb():
    with pytest.raises(UserError, match="channels"):
        jpeg(torch.zeros(1, 4, 16, 16), torch.tensor([50.0]))
