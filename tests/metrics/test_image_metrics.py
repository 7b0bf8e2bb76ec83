import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reference import metrics as reference
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sr_lab.errors import UserError
from sr_lab.metrics import Protocol
from sr_lab.metrics.image import aligned_psnr, compared, psnr, ssim, to_8bit

DATA = Path(os.environ.get("SR_LAB_DATA", Path(__file__).parents[3] / "shared/data"))
SHIPPED = DATA / "natural/fkp_test"


def images(seed: int, *shape: int, noise: float = 0.1):
    """A smooth batch and a noisy copy of it that leaves [0, 1] in places."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(*shape[:2], 5, 5, generator=generator)
    hr = torch.nn.functional.interpolate(coarse, shape[2:], mode="bicubic").clamp(0, 1)
    return hr + noise * torch.randn(hr.shape, generator=generator), hr


def array(image: torch.Tensor):
    return image.numpy().transpose(1, 2, 0)


@pytest.mark.parametrize("scale", [2, 4])
def test_published_protocol_is_luma_of_8_bit_files(scale: int):
    sr, hr = images(0, 2, 3, 40, 31)
    for i in range(2):
        x, y = (reference.cropped(reference.luma(reference.as_8bit(array(v[i]))), scale) for v in (sr, hr))
        expected = reference.psnr(x, y, 255), reference.ssim_valid(x, y, 255)
        measured = [float(f(sr, hr, Protocol.published(scale))[i]) for f in (psnr, ssim)]
        np.testing.assert_allclose(measured, expected, rtol=1e-12)


def test_rgb_protocol_agrees_with_scikit_image():
    sr, hr = images(1, 1, 3, 33, 40)
    x, y = (reference.cropped(reference.as_8bit(array(v[0])), 3) for v in (sr, hr))
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected_ssim = np.asarray(structural_similarity(x, y, data_range=255, channel_axis=2, **window))
    assert float(psnr(sr, hr, Protocol.rgb(3))) == pytest.approx(
        peak_signal_noise_ratio(y, x, data_range=255), rel=1e-12
    )
    assert float(ssim(sr, hr, Protocol.rgb(3))) == pytest.approx(float(expected_ssim), rel=1e-9)


def test_bands_without_rounding():
    sr, hr = images(2, 1, 31, 16, 17)
    protocol = Protocol("none", 0, "none", 1.0)
    assert float(psnr(sr, hr, protocol)) == pytest.approx(
        reference.psnr(array(sr[0]), array(hr[0]), 1.0), rel=1e-6
    )
    assert float(ssim(sr, hr, protocol)) == pytest.approx(
        reference.ssim_valid(array(sr[0]), array(hr[0]), 1.0), rel=1e-6
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3]), st.integers(19, 30), st.integers(19, 30))
def test_both_are_symmetric_and_ssim_is_one_only_for_equal_images(
    seed: int, channels: int, height: int, width: int
):
    sr, hr = images(seed, 2, channels, height, width)
    for protocol in (Protocol.published(4), Protocol.rgb(4)):
        for metric in (psnr, ssim):
            torch.testing.assert_close(metric(sr, hr, protocol), metric(hr, sr, protocol), rtol=1e-12, atol=0)
        assert torch.isposinf(psnr(hr, hr, protocol)).all()
        torch.testing.assert_close(ssim(hr, hr, protocol), torch.ones(2).double(), rtol=0, atol=1e-12)
        assert (ssim(sr, hr, protocol) < 1 - 1e-6).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.02, 0.1), st.floats(1.2, 3))
def test_both_fall_as_noise_grows(seed: int, noise: float, factor: float):
    little, hr = images(seed, 1, 3, 30, 30, noise=noise)
    much = hr + factor * (little - hr)
    for metric in (psnr, ssim):
        assert float(metric(much, hr, Protocol.published(2))) < float(
            metric(little, hr, Protocol.published(2))
        )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_border_is_ignored(seed: int, border: int):
    sr, hr = images(seed, 1, 3, 26, 28)
    spoilt = torch.rand(sr.shape, generator=torch.Generator().manual_seed(seed))
    spoilt[..., border:-border, border:-border] = sr[..., border:-border, border:-border]
    for metric in (psnr, ssim):
        for protocol in (Protocol.published(border), Protocol.rgb(border)):
            assert torch.equal(metric(spoilt, hr, protocol), metric(sr, hr, protocol))
    spoilt[..., border, border] = (spoilt[..., border, border] + 0.5) % 1
    assert float(psnr(spoilt, hr, Protocol.rgb(border))) != float(psnr(sr, hr, Protocol.rgb(border)))


def test_grey_reads_like_three_equal_channels():
    sr, hr = images(3, 2, 1, 24, 24)
    for protocol in (Protocol.published(2), Protocol.rgb(2)):
        for metric in (psnr, ssim):
            triple = metric(sr.expand(-1, 3, -1, -1), hr.expand(-1, 3, -1, -1), protocol)
            torch.testing.assert_close(metric(sr, hr, protocol), triple, rtol=1e-12, atol=0)
    black_white = compared(torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2), Protocol.published(0))
    torch.testing.assert_close(black_white.flatten(), torch.tensor([16.0, 235.0]).double())
    gain = psnr(sr, hr, Protocol.published(2)) - psnr(sr, hr, Protocol.rgb(2))
    torch.testing.assert_close(gain, torch.full((2,), 20 * np.log10(255 / 219)).double())


def test_rounding_is_to_the_nearest_level_and_clips():
    levels = torch.tensor([-0.2, 0.4 / 255, 0.6 / 255, 7 / 255, 1.3]).reshape(1, 1, 1, 5)
    torch.testing.assert_close(255 * to_8bit(levels).flatten(), torch.tensor([0.0, 0.0, 1.0, 7.0, 255.0]))


@pytest.mark.parametrize(
    ("sr", "hr", "message"),
    [
        ((1, 3, 32, 32), (1, 3, 33, 32), "SR is"),
        ((1, 3, 32, 32), (1, 1, 32, 32), "SR is"),
        ((2, 3, 32, 32), (1, 3, 32, 32), "SR is"),
        ((1, 3, 8, 32), (1, 3, 8, 32), "border of 4 px"),
        ((1, 3, 18, 32), (1, 3, 18, 32), "SSIM needs 11 px"),
        ((1, 5, 32, 32), (1, 5, 32, 32), "5 channels"),
    ],
)
def test_images_that_cannot_be_compared_are_refused(sr: tuple[int, ...], hr: tuple[int, ...], message: str):
    with pytest.raises(UserError, match=message):
        ssim(torch.zeros(sr), torch.zeros(hr), Protocol.published(4))


@pytest.mark.parametrize(("border", "search"), [(0, 1), (5, 2)])
def test_aligned_psnr_searches_quarter_pixels(border: int, search: int):
    sr, hr = images(4, 2, 1, 24, 26, noise=0.02)
    sr = sr.roll((1, -1), (2, 3))
    score, shift = aligned_psnr(sr, hr, Protocol("none", border, "none", 1.0), search)
    for i in range(2):
        x, y = (v[i, 0].double().numpy() for v in (sr, hr))
        expected = reference.aligned_psnr(x, y, max(border, search + 2), search, 1.0)
        assert float(score[i]) == pytest.approx(expected[0], rel=1e-9)
        assert tuple(shift[i].tolist()) == expected[1]
    assert shift.tolist() == [[1, -1], [1, -1]]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(-2, 2), st.integers(-2, 2))
def test_aligned_psnr_undoes_whole_shifts_and_never_loses(seed: int, down: int, right: int):
    sr, hr = images(seed, 1, 3, 30, 30)
    protocol = Protocol.published(4)
    assert float(aligned_psnr(sr, hr, protocol, 2).psnr) >= float(psnr(sr, hr, protocol))
    moved = aligned_psnr(hr.roll((down, right), (2, 3)), hr, protocol, 2)
    assert float(moved.psnr) > 120
    assert moved.shift.tolist() == [[down, right]]


@pytest.mark.skipif(not SHIPPED.is_dir(), reason=f"no real data at {DATA} (set SR_LAB_DATA)")
def test_bicubic_rows_of_the_shipped_case():
    # Known figures of this pair: bicubic 21.62 dB, 24.50 dB once its s-1 = 3 px of displacement are undone.
    with Image.open(SHIPPED / "102061_hr.png") as file:
        hr = np.asarray(file.convert("RGB"))[:480, :320] / 255
    with Image.open(SHIPPED / "102061_lr_x4.png") as file:
        up = np.asarray(file.convert("RGB").resize((320, 480), Image.Resampling.BICUBIC)) / 255
    sr, truth = (torch.from_numpy(v).float().permute(2, 0, 1)[None] for v in (up, hr))
    protocol = Protocol.published(4)
    assert float(psnr(sr, truth, protocol)) == pytest.approx(21.62, abs=0.01)
    assert float(psnr(sr.roll((-3, -3), (2, 3)), truth, protocol)) == pytest.approx(24.50, abs=0.01)
    aligned = aligned_psnr(sr, truth, protocol, 3)
    assert aligned.shift.tolist() == [[3, 3]]
    assert float(aligned.psnr) == pytest.approx(24.50, abs=0.05)
