import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sr_lab.degradation.noise import add_gaussian, quantise
from sr_lab.errors import UserError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_image_gets_its_own_noise_level():
    sd = torch.tensor([0.0, 0.01, 0.2])
    image = torch.full((3, 3, 64, 64), 0.5)
    noise = add_gaussian(image, sd, seeded()) - image
    assert (noise[0] == 0).all()
    np.testing.assert_allclose(noise.std((1, 2, 3)), sd, rtol=0.02, atol=1e-7)
    np.testing.assert_allclose(noise.mean((1, 2, 3)) / sd.clamp(min=1e-9), 0, atol=0.03)
    assert noise.max() > 0.5  # not clipped


def test_noise_is_white_and_differs_between_channels():
    noise = add_gaussian(torch.zeros(1, 3, 64, 64), torch.ones(1), seeded())[0]
    correlation = np.corrcoef(noise.flatten(1))
    assert np.abs(correlation - np.eye(3)).max() < 0.06
    assert abs((noise[:, 1:] * noise[:, :-1]).mean().item()) < 0.03


def test_the_seed_decides_and_gradients_pass():
    image = torch.rand(2, 1, 8, 8, generator=seeded(1)).requires_grad_()
    sd = torch.tensor([0.1, 0.2])
    noisy = add_gaussian(image, sd, seeded(3))
    assert torch.equal(noisy, add_gaussian(image, sd, seeded(3)))
    assert not torch.equal(noisy, add_gaussian(image, sd, seeded(4)))
    noisy.sum().backward()
    assert image.grad is not None
    assert (image.grad == 1).all()


@pytest.mark.parametrize("how", ["floor", "round"])
@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_levels_stay(how: str, bits: int, dtype: torch.dtype):
    levels = torch.from_numpy(np.arange(2**bits) / np.array(2**bits - 1)).to(dtype)
    assert torch.equal(quantise(levels, how, bits), levels)  # type: ignore[arg-type]


@given(value=st.floats(-0.5, 1.5, width=32))
def test_floor_and_round_against_integers(value: float):
    image = torch.tensor([value])
    clipped = np.float32(min(max(value, 0.0), 1.0))
    stored = np.float32(clipped * np.float32(255))
    assert quantise(image, "floor").item() == np.float32(int(stored)) / np.float32(255)
    assert abs(quantise(image, "round").item() * 255 - float(clipped) * 255) <= 0.5 + 1e-4
    assert quantise(image, "none").item() == value


def test_floor_loses_half_a_level_and_round_none():
    image = torch.rand(1, 1, 200, 200, generator=seeded())
    assert ((quantise(image, "floor") - image).mean() * 255).item() == pytest.approx(-0.5, abs=0.01)
    assert ((quantise(image, "round") - image).mean() * 255).item() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("bits", [0, 17])
def test_impossible_bits(bits: int):
    with pytest.raises(UserError, match="quantise"):
        quantise(torch.zeros(1), "round", bits)
