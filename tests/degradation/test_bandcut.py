from pathlib import Path

import numpy as np
import pytest
import torch

from sr_lab.degradation.band import cut_band, occupied_band, pad_band
from sr_lab.degradation.bandcut import Bandcut, Sublook
from sr_lab.degradation.speckle import circular_gaussian
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels, as_complex, intensity

BAND = [0.72, 0.94]


def keyed(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clutter(width: tuple[float, float] = (0.72, 0.94), side: int = 240, seed: int = 0) -> torch.Tensor:
    white = circular_gaussian(torch.empty(1, side, side, dtype=torch.complex64), keyed(seed))
    seen = cut_band(white, (side, side), width)
    return as_channels(seen / seen.abs().square().mean().sqrt())


@pytest.mark.parametrize(
    "degradation",
    [
        Bandcut(2, occupied=BAND),
        Bandcut(3, occupied=BAND),
        Bandcut(2, azimuth=4, occupied=BAND),
        Bandcut(2, alpha=0.75, occupied=BAND),
        Bandcut(2, detect=True, occupied=BAND),
        Sublook(2, occupied=BAND),
        Sublook(3, "range", occupied=BAND),
        Sublook(2, look=1, occupied=BAND),
    ],
)
def test_the_mean_intensity_of_clutter_stays(degradation: Bandcut | Sublook) -> None:
    hr = clutter()
    lr = degradation.degrade(hr, keyed()).lr
    assert lr.shape[-1] == 240 // degradation.scale
    gain = 10 * torch.log10(intensity(lr).mean() / intensity(hr).mean())
    assert abs(gain.item()) < 0.25


def test_the_occupied_band_is_what_is_cut() -> None:
    hr = clutter()
    for degradation, width in (
        (Bandcut(2, occupied=BAND), (0.72, 0.94)),
        (Bandcut(2, azimuth=4, occupied=BAND), (0.36, 0.94)),
    ):
        lr = degradation(hr, None)
        np.testing.assert_allclose(occupied_band(as_complex(lr)[0]).width, width, atol=0.03)


def test_only_what_is_in_the_band_comes_back() -> None:
    hr = clutter((0.9, 0.9))
    lr = Bandcut(2, occupied=[0.9, 0.9])(hr, None)
    again = pad_band(as_complex(lr), (240, 240)) / 2
    inside = cut_band(as_complex(hr), (240, 240), (0.45, 0.45))
    torch.testing.assert_close(again, inside, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(Bandcut(2, occupied=[0.9, 0.9]).inside(hr), as_channels(inside))


def test_looks_of_a_sublook_are_independent_and_average() -> None:
    hr = clutter()
    looks = [as_complex(Sublook(2, look=number, occupied=BAND)(hr, None)) for number in (0, 1)]
    power = [look.abs().square() for look in looks]
    together = torch.stack([one.flatten() for one in power])
    assert torch.corrcoef(together)[0, 1].abs() < 0.05
    averaged = Sublook(2, occupied=BAND)(hr, None)
    assert averaged.shape[1] == 1
    torch.testing.assert_close(averaged[:, 0].square(), (power[0] + power[1]) / 2)
    detected = intensity(averaged)
    assert (detected.mean() ** 2 / detected.var()).item() == pytest.approx(2, rel=0.1)


def test_noise_is_drawn_for_each_image_and_told() -> None:
    hr = clutter().repeat(2, 1, 1, 1)
    clean = Bandcut(2).degrade(hr, keyed())
    noisy = Bandcut(2, snr_db=6).degrade(hr, keyed())
    assert clean.noise_level.tolist() == [0, 0]
    assert clean.kernel is None
    added = noisy.lr - clean.lr
    torch.testing.assert_close(added.std((1, 2, 3)), noisy.noise_level, rtol=0.03, atol=0)
    assert not torch.equal(added[0], added[1])
    torch.testing.assert_close(Bandcut(2, snr_db=6).degrade(hr, keyed()).lr, noisy.lr)


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(UserError, match="needs a complex image"):
        Bandcut(2)(torch.ones(1, 1, 8, 8), None)
    with pytest.raises(UserError, match="is none"):
        Bandcut(2, azimuth=0.5)
    with pytest.raises(UserError, match="is none"):
        Bandcut(2, alpha=0.3)
    with pytest.raises(UserError, match=r"occupied: \[1\.2, 1\] is none"):
        Bandcut(2, occupied=[1.2, 1])
    with pytest.raises(UserError, match=r"taper: \[0\.9\] is none"):
        Sublook(2, taper=[0.9])
    with pytest.raises(UserError, match="no look 2 of 2"):
        Sublook(2, look=2)


def test_a_taper_is_made_up_for() -> None:
    white = circular_gaussian(torch.empty(1, 240, 240, dtype=torch.complex64), keyed())
    hr = as_channels(cut_band(white, (240, 240), (0.72, 0.94), alpha=0.7))
    for degradation in (
        Bandcut(2, occupied=BAND, taper=[0.7, 0.7]),
        Bandcut(2, occupied=BAND, taper=[0.7, 0.7], alpha=0.6),
        Sublook(3, occupied=BAND, taper=[0.7, 0.7]),
        Sublook(3, look=0, occupied=BAND, taper=[0.7, 0.7]),
    ):
        gain = 10 * torch.log10(intensity(degradation(hr, None)).mean() / intensity(hr).mean())
        assert abs(gain.item()) < 0.3


def test_radarsat_keeps_its_power(data: Path) -> None:
    image = np.load(data / "sar/test/radarsat1/scene_7_Brackendale.npy")
    hr = as_channels(torch.from_numpy(image)[None])
    for scale in (2, 4):
        lr = Bandcut(scale, occupied=[0.716, 0.932], taper=[0.82, 0.98])(hr, None)
        gain = 10 * torch.log10(intensity(lr).mean() / intensity(hr).mean())
        assert abs(gain.item()) < 0.3
