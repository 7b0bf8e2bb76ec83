import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import spectral_metrics as reference

from sr_lab.errors import UserError
from sr_lab.metrics import METRICS, evaluate, spectral
from sr_lab.metrics.perceptual import MetricUnavailable

NAMES = ("psnr_band", "psnr_cube", "ssim_band", "sam", "ergas", "cc", "rmse")


def pair(bands: int = 5, side: int = 16, images: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(bands)
    hr = torch.rand(images, bands, side, side + 3, generator=generator)
    return hr + 0.05 * torch.randn(hr.shape, generator=generator), hr


def measured(sr: torch.Tensor, hr: torch.Tensor, scale: int = 2) -> dict[str, list[float]]:
    return {name: m.values for name, m in evaluate(NAMES, sr=sr, hr=hr, scale=scale).measured.items()}


@pytest.mark.parametrize("bands", [1, 3, 31])
def test_every_metric_equals_its_plain_reference(bands: int) -> None:
    sr, hr = pair(bands)
    found = measured(sr, hr, scale=4)
    for index in range(2):
        x, y = sr[index].double().numpy(), hr[index].double().numpy()
        for name in NAMES:
            arguments = (x, y, 4) if name == "ergas" else (x, y)
            expected = getattr(reference, name)(*arguments)
            assert found[name][index] == pytest.approx(expected, abs=1e-9), name


def test_sam_and_ergas_equal_torchmetrics() -> None:
    from torchmetrics.functional.image import error_relative_global_dimensionless_synthesis as ergas
    from torchmetrics.functional.image import spectral_angle_mapper as sam

    sr, hr = (image.double() for image in pair())
    expected = torch.rad2deg(sam(sr, hr, reduction="none")).mean((1, 2))
    torch.testing.assert_close(spectral.sam(sr, hr), expected)
    for scale in (2, 8):
        torch.testing.assert_close(
            spectral.ergas(sr, hr, scale), torch.as_tensor(ergas(sr, hr, ratio=scale, reduction="none"))
        )


def test_the_two_psnrs_of_a_cube_are_ordered() -> None:
    sr, hr = pair()
    sr[:, 0] += 0.3  # one bad band weighs more in the cube's error
    assert bool((spectral.psnr_cube(sr, hr) < spectral.psnr_band(sr, hr) - 3).all())


def test_zero_pixels_have_no_angle() -> None:
    sr, hr = pair()
    expected = spectral.sam(sr[..., 2:], hr[..., 2:])
    hr[..., :2] = 0
    torch.testing.assert_close(spectral.sam(sr, hr), expected)
    sr[..., :2] = 0
    torch.testing.assert_close(spectral.sam(sr, hr), expected)
    blank = torch.zeros_like(hr)
    torch.testing.assert_close(spectral.sam(blank, hr), torch.full((2,), 90.0, dtype=torch.float64))
    with pytest.raises(MetricUnavailable, match="zero in every pixel"):
        spectral.sam(sr, blank)


@given(st.floats(1e-3, 1e3), st.integers(1, 7))
@settings(max_examples=20, deadline=None)
def test_the_angle_does_not_see_brightness(gain: float, bands: int) -> None:
    sr, hr = pair(bands, side=8)
    torch.testing.assert_close(
        spectral.sam(gain * hr, hr), torch.zeros(2, dtype=torch.float64), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(spectral.sam(gain * sr, hr), spectral.sam(sr, hr), atol=1e-4, rtol=1e-5)


def test_ergas_leaves_dark_bands_out_and_says_so() -> None:
    sr, hr = pair()
    hr[0, 1], hr[0, 3] = 0, 5e-5
    kept = [0, 2, 4]
    expected = spectral.ergas(sr[:1, kept], hr[:1, kept], 2)
    torch.testing.assert_close(spectral.ergas(sr, hr, 2)[:1], expected)
    result = evaluate(["ergas"], sr=sr[:1], hr=hr[:1], scale=2)
    assert result.remarks == ["ergas: 2 of 5 bands with a mean below 0.0001 left out"]
    assert evaluate(["ergas"], sr=sr[1:], hr=hr[1:], scale=2).remarks == []
    with pytest.raises(MetricUnavailable, match="every band"):
        spectral.ergas(sr, torch.zeros_like(hr), 2)


def test_constant_bands_have_no_correlation() -> None:
    sr, hr = pair()
    expected = spectral.cc(sr[:, 1:], hr[:, 1:])
    hr[:, 0] = 0.25
    torch.testing.assert_close(spectral.cc(sr, hr), expected)
    sr, hr = pair()
    rest = spectral.cc(sr[:, 1:], hr[:, 1:])
    sr[:, 0] = 0.25
    torch.testing.assert_close(spectral.cc(sr, hr), 0.8 * rest)


@given(
    hr=st.sampled_from([0.0, 1e-30, 0.5, 2.0, -0.5]),
    sr=st.sampled_from([0.0, 1e-30, 0.5, 1e15, -1.0]),
    bands=st.integers(1, 3),
    textured=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_no_metric_is_ever_nan(hr: float, sr: float, bands: int, textured: bool) -> None:
    truth = torch.full((1, bands, 7, 8), hr)
    if textured:
        truth[:, :, ::2] *= 2
    result = evaluate(NAMES, sr=torch.full_like(truth, sr), hr=truth, scale=2)
    assert {"psnr_band", "psnr_cube", "ssim_band", "rmse"} <= set(result.measured)
    for name, m in result.measured.items():
        assert all(math.isfinite(value) for value in m.values), name
    assert len(result.measured) + len(result.notes) == len(NAMES), "a value or a reason"


def test_equal_images_are_perfect() -> None:
    _, hr = pair()
    assert measured(hr, hr) == {
        "psnr_band": [100.0, 100.0], "psnr_cube": [100.0, 100.0], "ssim_band": pytest.approx([1, 1]),
        "sam": [0.0, 0.0], "ergas": [0.0, 0.0], "cc": pytest.approx([1, 1]), "rmse": [0.0, 0.0],
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_faults_are_named(name: str) -> None:
    sr, hr = pair()
    measure: Callable[..., torch.Tensor] = METRICS[name].measure
    with pytest.raises(UserError, match="SR is"):
        measure(2, sr[..., :-1], hr)
    sr[0, 0, 0, 0] = math.nan
    with pytest.raises(UserError, match="1 values of the restored image are NaN"):
        measure(2, sr, hr)


def test_the_protocol_names_scale_and_peak() -> None:
    sr, hr = pair()
    found = evaluate(NAMES, sr=sr, hr=hr, scale=8).measured
    assert found["ergas"].protocol.startswith("100/8 ")
    assert all("peak 1 = the test image's own scale" in m.protocol for m in found.values())
    better = {name: m.higher_is_better for name, m in found.items()}
    assert [name for name in NAMES if not better[name]] == ["sam", "ergas", "rmse"]


def test_values_are_float64() -> None:
    x, y = float(np.float32(0.7)), float(np.float32(0.7000003))
    sr, hr = torch.full((1, 1, 7, 7), x), torch.full((1, 1, 7, 7), y)
    assert spectral.rmse(sr, hr).item() == pytest.approx(y - x, rel=1e-12)
