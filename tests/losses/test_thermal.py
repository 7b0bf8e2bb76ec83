import pytest
import torch
from reference import losses as reference

from sr_lab.losses.thermal import log_spectrum, thermal_order


def images(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(2, 1, 24, 16), (2, 3, 19, 35)])
def test_order_over_many_patches(shape: tuple[int, ...]):
    hr = torch.nn.functional.interpolate(images(0, *shape[:2], 4, 4), shape[2:])
    sr = torch.nn.functional.interpolate(images(1, *shape[:2], 4, 4), shape[2:])
    expected = [reference.thermal_order(a.numpy(), b.numpy()) for a, b in zip(sr, hr, strict=True)]
    assert thermal_order(sr, hr).tolist() == pytest.approx(expected, abs=1e-12)
    assert min(expected) > 0
    assert thermal_order(hr, hr).max() == 0


def test_the_spectrum_is_blind_to_a_shift_and_an_image_to_its_batch():
    hr = images(0, 2, 1, 16, 16)
    assert log_spectrum(hr.roll((3, 5), (2, 3)), hr).max() < 1e-12
    sr = images(1, 2, 1, 16, 16)
    torch.testing.assert_close(log_spectrum(sr, hr)[:1], log_spectrum(sr[:1], hr[:1]))
    assert log_spectrum(sr, hr).min() > 0.1
