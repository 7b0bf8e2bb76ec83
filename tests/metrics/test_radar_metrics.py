import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from reference import sar_metrics as reference

from sr_lab.degradation.band import pad_band
from sr_lab.degradation.bandcut import Bandcut
from sr_lab.degradation.speckle import circular_gaussian, speckle
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels, as_complex
from sr_lab.metrics import METRICS, evaluate, radar
from sr_lab.metrics.m_index import _homogeneity, _moments, m_index
from sr_lab.metrics.perceptual import MetricUnavailable

OF_SAR = [name for name, metric in METRICS.items() if metric.scenes == ("sar",)]


def keyed(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def detected(side: int = 96, looks: float = 4.0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Amplitudes: an estimate of a scene with edges, and the scene under speckle."""
    scene = torch.ones(2, 1, side, side)
    scene[:, :, side // 3 :, side // 2 :] = 20
    scene[1] *= 5
    estimate = scene * speckle(scene, 40.0, keyed(seed))
    return estimate.sqrt(), (scene * speckle(scene, looks, keyed(seed + 1))).sqrt()


def powers(*images: torch.Tensor) -> list[list[np.ndarray]]:
    return [[one[0].double().numpy() ** 2 for one in image] for image in images]


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (radar.psnr_db, lambda x, z: reference.psnr(*reference.decibels(x, z))),
        (radar.ssim_db, lambda x, z: reference.ssim(*reference.decibels(x, z))),
        (radar.psnr_amp, lambda x, z: reference.psnr(*reference.amplitudes(x, z))),
        (radar.ssim_amp, lambda x, z: reference.ssim(*reference.amplitudes(x, z))),
        (lambda x, z: radar.enl(x), lambda x, z: reference.enl(x)),
        (radar.epi, reference.epi),
        (lambda x, z: radar.epd_roa(x, z, -1), lambda x, z: reference.epd_roa(x, z, 1)),
        (lambda x, z: radar.epd_roa(x, z, -2), lambda x, z: reference.epd_roa(x, z, 0)),
        (radar.bias_db, reference.bias_db),
        (radar.block_bias_db, reference.block_bias_db),
    ],
)
def test_measures_agree_with_the_reference(measure: Callable[..., Any], expected: Callable[..., Any]) -> None:
    sr, hr = detected()
    want = [expected(x, z) for x, z in zip(*powers(sr, hr), strict=True)]
    np.testing.assert_allclose(measure(sr, hr).numpy(), want, rtol=1e-5)


@pytest.mark.parametrize("looks", [1.0, 4.0])
def test_ratio_of_a_perfect_estimate_is_speckle(looks: float) -> None:
    clean = torch.ones(1, 1, 150, 150)
    clean[..., 75:] = 9
    hr = clean * speckle(clean, looks, keyed()).sqrt()
    found = radar.ratio_statistics(clean, hr, looks)
    x, z = powers(clean, hr)
    np.testing.assert_allclose(
        [value.item() for value in found], reference.ratio(x[0], z[0], looks), rtol=1e-6
    )
    assert found.mean.item() == pytest.approx(1, abs=0.03)
    assert found.variance.item() == pytest.approx(1 / looks, rel=0.06)
    assert found.correlation.abs().item() < 0.02
    assert found.ks.item() < 1.63 / 150
    smooth = torch.full_like(clean, 5.0)
    worse = radar.ratio_statistics(smooth, hr, looks)
    assert worse.correlation.item() > 0.2
    assert worse.ks.item() > 10 * found.ks.item()


def test_looks_come_from_the_phase_or_from_the_ratio() -> None:
    hr = as_channels(circular_gaussian(torch.empty(1, 128, 128, dtype=torch.complex64), keyed()))
    flat = torch.ones(1, 1, 128, 128)
    assert radar.ratio_statistics(flat, hr).ks.item() < 0.02
    four = speckle(flat, 4.0, keyed()).sqrt()
    assert radar.ratio_statistics(flat, four).ks.item() < 0.02


def test_m_index_is_that_of_the_reference_and_sees_structure() -> None:
    sr, hr = detected(side=192, looks=1.0)
    for index, (x, z) in enumerate(zip(*powers(sr, hr), strict=True)):
        one = torch.from_numpy(z), torch.from_numpy(z / x)
        assert _moments(*one).item() == pytest.approx(reference.moments(x, z), rel=1e-6)
        levels = torch.from_numpy(np.clip(np.floor(z / x / np.percentile(z / x, 99) * 64), 0, 63))
        assert _homogeneity(levels).item() == pytest.approx(reference.homogeneity(z / x), rel=1e-6)
        assert m_index(sr, hr)[index] >= reference.moments(x, z)
    clean = torch.ones(1, 1, 192, 192)
    clean[..., 96:] = 9
    noisy = clean * speckle(clean, 1.0, keyed()).sqrt()
    perfect, blind = m_index(clean, noisy), m_index(torch.full_like(clean, 41.0**0.5), noisy)
    assert perfect.item() < 3
    assert blind.item() > 5 * perfect.item()
    assert torch.equal(perfect, m_index(clean, noisy)), "the shuffles are always the same"


def test_enl_counts_looks() -> None:
    for looks in (1.0, 4.0, 9.0):
        image = speckle(torch.empty(4, 1, 256, 256), looks, keyed()).sqrt()
        found = radar.enl(image).mean().item()
        assert looks < found < 1.35 * looks, "the calmest of 64 blocks"
    with pytest.raises(MetricUnavailable, match="no block"):
        radar.enl(torch.ones(1, 1, 20, 40))
    with pytest.raises(MetricUnavailable, match="constant"):
        radar.enl(torch.ones(1, 1, 40, 40))


def test_complex_and_detected_are_measured_alike() -> None:
    hr = as_channels(circular_gaussian(torch.empty(1, 64, 64, dtype=torch.complex64), keyed()))
    sr = as_channels(circular_gaussian(torch.empty(1, 64, 64, dtype=torch.complex64), keyed(1)))
    for measure in (radar.psnr_db, radar.ssim_amp, radar.epi, radar.bias_db):
        both = [
            measure(x, z)
            for x in (sr, sr.norm(dim=1, keepdim=True))
            for z in (hr, hr.norm(dim=1, keepdim=True))
        ]
        for one in both:
            torch.testing.assert_close(one, both[0], rtol=1e-5, atol=1e-5)
    assert radar.bias_db(2 * hr, hr).item() == pytest.approx(20 * math.log10(2))


def test_errors_in_and_out_of_the_band() -> None:
    hr = as_channels(circular_gaussian(torch.empty(1, 64, 80, dtype=torch.complex64), keyed()))
    cut = Bandcut(2, occupied=[0.8, 0.9])
    lr = cut(hr, None)
    padded = as_channels(pad_band(as_complex(lr), (64, 80)))
    given: dict[str, Any] = {"hr": hr, "lr": lr, "inside": cut.inside, "scale": 2}
    names = ["in_band_error", "out_of_band_error", "consistency_db"]

    def errors(sr: torch.Tensor) -> list[float]:
        return [
            item.values[0] for item in evaluate(names, sr=sr, again=cut(sr, None), **given).measured.values()
        ]

    inside, outside, consistent = errors(padded)
    assert inside < 1e-5
    assert outside == pytest.approx(1, abs=1e-6), "zeros recover nothing"
    assert consistent > 100, "and agree with all that was measured"
    noisy = padded + 0.3 * torch.randn(padded.shape, generator=keyed(2))
    want = reference.band_errors(as_complex(noisy)[0].numpy(), as_complex(hr)[0].numpy(), (0.4, 0.45))
    np.testing.assert_allclose(errors(noisy)[:2], want, rtol=1e-4)
    assert errors(hr)[:2] == pytest.approx([0, 0], abs=1e-6)
    assert errors(hr)[2] > 100


def test_what_a_detected_image_cannot_be_asked_is_a_note() -> None:
    sr, hr = detected()
    cut = Bandcut(2)
    found = evaluate(
        OF_SAR,
        sr=sr,
        hr=hr,
        lr=hr[..., ::2, ::2],
        again=None,
        inside=cut.inside,
        scale=2,
    )
    left_out = {note.split()[0] for note in found.notes}
    targets = {f"{name}_{axis}" for name in ("irw", "pslr", "islr") for axis in ("azimuth", "range")}
    assert left_out == targets | {"in_band_error", "out_of_band_error"}
    without = {name for name in OF_SAR if {"again", "kernel"} & set(METRICS[name].needs)}
    assert set(found.measured) == set(OF_SAR) - left_out - without
    assert all(math.isfinite(value) for item in found.measured.values() for value in item.values)


def test_a_sharper_band_has_a_narrower_target() -> None:
    band = torch.ones(1, 64, 64, dtype=torch.complex64)
    point = torch.fft.fftshift(torch.fft.ifft2(band))
    hr = as_channels(pad_band(point, (128, 128)))
    blurred = Bandcut(1, azimuth=2, occupied=[0.5, 0.5])(hr, None)
    names = ["irw_azimuth", "irw_range", "pslr_range"]
    fine, coarse = (evaluate(names, sr=image, hr=hr, scale=1).measured for image in (hr, blurred))
    assert coarse["irw_azimuth"].values[0] / fine["irw_azimuth"].values[0] == pytest.approx(2, rel=0.06)
    assert coarse["irw_range"].values[0] == pytest.approx(fine["irw_range"].values[0], rel=0.03)
    assert fine["pslr_range"].values[0] == pytest.approx(-13.26, abs=0.3)


def test_an_image_of_one_bright_pixel_has_a_score() -> None:
    hr = torch.zeros(1, 1, 64, 64)
    hr[..., 20, 30] = 1
    for measure in (radar.psnr_db, radar.psnr_amp):
        assert torch.isfinite(measure(hr, hr)).all()


def test_bad_input_is_refused() -> None:
    image = torch.rand(1, 1, 40, 40)
    with pytest.raises(UserError, match="SR is"):
        radar.psnr_db(image, image[..., 1:])
    broken = image.clone()
    broken[0, 0, 3, 4] = torch.nan
    with pytest.raises(UserError, match="1 values"):
        radar.psnr_db(broken, image)
    with pytest.raises(MetricUnavailable, match="HR is constant"):
        radar.psnr_db(image, torch.ones_like(image))
