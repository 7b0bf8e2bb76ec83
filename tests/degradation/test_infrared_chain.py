"""The random chain: its units against what they are, its gates, its seeds and the shipped config."""

from typing import Any

import numpy as np
import pytest
import torch

from sr_lab.config.build import build
from sr_lab.config.compose import compose, to_plain
from sr_lab.degradation.blur import blur_decimate
from sr_lab.degradation.corruptions import GaussianNoise, Quantise
from sr_lab.degradation.infrared_chain import STAGES, InfraredChain, random_blurs, sinc_kernels
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth(count: int = 3) -> torch.Tensor:
    return imresize(torch.rand(count, 1, 12, 16, generator=generator()), 4).clamp(0, 1)


def test_closed_gates_only_resize() -> None:
    hr = smooth()
    degraded = InfraredChain(2, gate=0).degrade(hr, generator(), {"gain": 255.0, "offset": 0.0})
    assert degraded.kernel is None
    assert degraded.noise_level.tolist() == [0, 0, 0]
    assert degraded.lr.shape == (3, 1, 24, 32)
    assert (degraded.lr - imresize(hr, 0.5)).abs().mean() < 0.03


def test_open_gates_keep_size_and_mean_and_hurt() -> None:
    hr = smooth(8)
    chain = InfraredChain(4, gate=1, corruptions=[Quantise("round")])
    lr = chain.degrade(hr, generator()).lr
    assert lr.shape == (8, 1, 12, 16)
    assert (lr.mean() - hr.mean()).abs() < 0.1
    assert (lr - imresize(hr, 0.25)).abs().mean() > 0.02
    torch.testing.assert_close((255 * lr).round() / 255, lr)


def test_each_image_of_a_batch_has_a_chain_of_its_own() -> None:
    lr = InfraredChain(2).degrade(smooth(1).expand(12, -1, -1, -1), generator()).lr
    assert len(lr.flatten(1).unique(dim=0)) > 9


def test_seeds_and_noise_levels() -> None:
    hr = smooth(1)
    chain = InfraredChain(2, corruptions=[GaussianNoise(0.01, 0.01)])
    draws = [chain.degrade(hr, generator(seed)) for seed in range(30)]
    assert torch.equal(chain.degrade(hr, generator(5)).lr, draws[5].lr)
    assert len({draw.lr.sum().item() for draw in draws}) == 30
    levels = (torch.cat([draw.noise_level for draw in draws]) ** 2 - 0.01**2).clamp_min(0).sqrt()
    noisy = levels[levels > 1e-3]
    assert 1 <= len(noisy) <= 15, "a quarter has Gaussian noise in the last pass"
    assert ((noisy >= 0.99 / 255) & (noisy <= 25.01 / 255)).all()


def test_noise_is_as_strong_as_it_says() -> None:
    grey = torch.full((32, 1, 60, 70), 0.4)
    seen, sd = InfraredChain(2, gate=1)._noisy(grey, STAGES[0], generator())
    added = 255 * (seen - grey)
    gaussian = sd > 0
    assert 8 <= gaussian.sum() <= 24
    torch.testing.assert_close(added.std((1, 2, 3))[gaussian], 255 * sd[gaussian], rtol=0.05, atol=0)
    shot = added[~gaussian].std((1, 2, 3)) / (255 * 0.4) ** 0.5
    assert 0.04 < shot.min() < 1 < shot.max() < 3.1
    assert added.mean((1, 2, 3)).abs().max() < 2


def test_stripes_are_cubic_columns() -> None:
    levels = torch.linspace(0, 1, 5).view(1, 1, 5, 1).expand(1, 1, 5, 3000)
    added = InfraredChain(2, stripes=0.05)._striped(levels, generator()) - levels
    for row, x in enumerate(torch.linspace(0, 1, 5).tolist()):
        expected = 0.05 * sum(x ** (2 * p) for p in range(4)) ** 0.5
        assert added[0, 0, row].std().item() == pytest.approx(expected, rel=0.05)
    assert torch.diff(added[0, 0], n=4, dim=0).abs().max() < 1e-5, "cubic in x, column by column"


def test_blur_kernels() -> None:
    sides = torch.tensor([3, 9, 13, 21] * 30)
    kernels = random_blurs(sides, generator())
    assert kernels.shape == (120, 1, 21, 21)
    torch.testing.assert_close(kernels.sum((1, 2, 3)), torch.ones(120), atol=1e-5, rtol=0)
    assert kernels.min() >= 0
    torch.testing.assert_close(kernels, kernels.flip(-2, -1))
    for side, kernel in zip(sides.tolist(), kernels[:, 0], strict=True):
        edge = (21 - side) // 2
        assert kernel[edge : 21 - edge, edge : 21 - edge].sum().item() == pytest.approx(1, abs=1e-5)
    isotropic = sum(torch.allclose(kernel, kernel.mT, atol=1e-6) for kernel in kernels)
    assert 40 <= isotropic <= 80


def test_sinc_passes_what_is_below_its_cutoff() -> None:
    kernel = sinc_kernels(torch.tensor([101]), torch.tensor([torch.pi / 2]))
    response = np.abs(np.fft.rfft(kernel[0, 0].sum(0).double().numpy()))
    assert np.abs(response[: int(101 * 0.25 * 0.8)] - 1).max() < 0.1
    assert response[int(101 * 0.25 * 1.2) :].max() < 0.1


def test_kernels_of_several_sides_are_those_of_each() -> None:
    image = torch.rand(2, 1, 30, 34, generator=generator())
    sides, cutoffs = torch.tensor([5, 11]), torch.tensor([1.5, 2.5])
    together = blur_decimate(image, sinc_kernels(sides, cutoffs), 1, boundary="reflect")
    for index in range(2):
        one = slice(index, index + 1)
        alone = blur_decimate(image[one], sinc_kernels(sides[one], cutoffs[one]), 1, boundary="reflect")
        torch.testing.assert_close(together[one], alone)


def test_the_shipped_config_trains_with_the_resampler_of_the_experiment() -> None:
    config = to_plain(compose(["experiment=train_ir_residual", "degradation=infrared_chain", "scale=4"]))
    degradation = build(config["degradation"], "degradation", ("sr_lab.",))
    lr = degradation.degrade(smooth(2), generator()).lr
    assert lr.shape == degradation(smooth(2), None).shape == (2, 1, 12, 16)
    assert degradation.resampler == "pil_bicubic"
    assert not degradation.forward_is_exact


@pytest.mark.parametrize("options", [{"sides": (4, 21)}, {"sides": (5, 3)}, {"sides": (3,)}, {"gate": 1.5}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="odd sides"):
        InfraredChain(2, **options)


def test_colour_is_refused() -> None:
    with pytest.raises(UserError, match="one channel"):
        InfraredChain(2).degrade(torch.zeros(1, 3, 16, 16), generator())
