"""Kernels that vary over the image: the smoothing, and the prior on a photograph."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from sr_lab.config.compose import compose, to_plain
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.corruptions import Quantise
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.gaussian_field import GaussianField, VaryingBlur
from sr_lab.methods.non_blind import NonBlind, restored_in_tiles
from sr_lab.priors.base import KernelField
from sr_lab.priors.fixed import Oracle
from sr_lab.priors.spectral import field as field_module
from sr_lab.priors.spectral import smooth as smooth_module
from sr_lab.priors.spectral.field import SpectralField
from sr_lab.priors.spectral.prior import Spectral
from sr_lab.priors.spectral.smooth import Sites, smooth
from sr_lab.run import run

WHOLE = torch.tensor([-0.5, 0.1, 0.0], dtype=torch.float64)


def grid(side: int) -> torch.Tensor:
    place = torch.linspace(-0.3, 0.3, side, dtype=torch.float64)
    return torch.cartesian_prod(place, place)


def sites(shapes: torch.Tensor, sd: float = 0.1, detail: torch.Tensor | None = None) -> Sites:
    count = len(shapes)
    return Sites(
        grid(math.isqrt(count)),
        shapes,
        sd**2 * torch.eye(3, dtype=torch.float64).repeat(count, 1, 1),
        torch.eye(count, dtype=torch.float64),
        torch.ones(count, dtype=torch.float64) if detail is None else detail,
    )


def errors(count: int, sd: float = 0.1) -> torch.Tensor:
    return sd * torch.randn(count, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_estimates_that_agree_within_their_errors_leave_one_shape() -> None:
    found, constant = smooth(sites(WHOLE + errors(36)), WHOLE, grid(9))
    assert constant > 0.9
    assert (found - WHOLE).abs().max() < 0.05


def test_a_field_is_followed_and_its_errors_are_smoothed() -> None:
    slope = torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64)
    truth = WHOLE + grid(6).sum(1, keepdim=True) * slope
    noisy = truth + errors(36)
    found, constant = smooth(sites(noisy), WHOLE, grid(6))
    assert constant < 0.01
    assert (found - truth).square().mean() < 0.5 * (noisy - truth).square().mean()


def test_one_window_that_is_far_off_is_not_believed() -> None:
    shapes = WHOLE + errors(36)
    shapes[7, 0] += 2.0
    found, _ = smooth(sites(shapes), WHOLE, grid(6))
    assert (found - WHOLE).abs().max() < 0.25


def test_windows_with_little_detail_follow_their_neighbours() -> None:
    shapes, detail = WHOLE + errors(36), torch.ones(36, dtype=torch.float64)
    shapes[:12, 0] += 1.5
    detail[:12] = 0.1
    found, _ = smooth(sites(shapes, detail=detail), WHOLE, grid(6))
    assert (found - WHOLE).abs().max() < 0.25


def test_it_is_the_gaussian_process_of_the_books(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one amplitude and kind, no robustness and no offset: NumPy, all three numbers apart."""
    kinds = (partial(smooth_module.free, reach=0.5),)
    for name, value in (("AMPLITUDES", (0.4,)), ("FIELDS", kinds), ("CONSTANT", 1e-300), ("FREEDOM", 1e9)):
        monkeypatch.setattr(smooth_module, name, value)
    monkeypatch.setattr(smooth_module, "OFFSET", 0.0)
    shapes, at = WHOLE + errors(9, 0.3), grid(4)
    found, _ = smooth(sites(shapes, 0.2), WHOLE, at, content=0.0)
    places = grid(3).numpy()

    def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * ((a[:, None] - b) ** 2).sum(-1) / 0.5**2)

    for index, size in enumerate((0.4, 0.2, 0.2)):
        inner = size**2 * correlation(places, places) + 0.2**2 * np.eye(9)
        excess = (shapes - WHOLE)[:, index].numpy()
        expected = size**2 * correlation(at.numpy(), places) @ np.linalg.solve(inner, excess)
        np.testing.assert_allclose((found - WHOLE)[:, index].numpy(), expected, atol=1e-6)


def blurred(
    growth: tuple[int, int], variance: tuple[float, float] = (0.35, 5.0)
) -> tuple[Sample, VaryingBlur]:
    from skimage import data

    pixels = torch.from_numpy(data.astronaut()[:384, 60:444]).float().permute(2, 0, 1)[None] / 255
    fields = GaussianField(2, variance=variance, growth=growth, pattern="linear")
    chain = VaryingBlur(2, fields, [Quantise("round")])
    made = chain.degrade(pixels, torch.Generator().manual_seed(2))
    return Sample(made.lr, 2, ["astronaut"], pixels, made.kernel), chain


def width(kernel: torch.Tensor) -> float:
    at = torch.arange(kernel.shape[-1]) - (kernel.shape[-1] - 2) / 2
    return float((kernel[0, 0] * (at**2 + at[:, None] ** 2)).sum())


def test_on_a_photograph_the_wide_side_is_found() -> None:
    sample, chain = blurred((9, 9))
    prior = SpectralField()
    prior.start(sample, chain, [])
    assert prior.varies
    truth = chain.fields.draw(1, torch.Generator().manual_seed(2))
    ends = torch.tensor([0.2, 0.8], dtype=torch.float64)
    y, x = (part.flatten() for part in torch.meshgrid(ends, ends, indexing="ij"))
    expected = [width(kernel[None, None]) for kernel in truth.kernels(y, x)[0]]
    found = [width(prior.kernel_at(float(b), float(a))) for b, a in zip(y, x, strict=True)]
    assert np.corrcoef(np.log(expected), np.log(found))[0, 1] > 0.8, (expected, found)


def test_without_detail_it_is_the_spectral_prior() -> None:
    lr = torch.full((1, 3, 40, 40), 0.5)
    lr[..., 10:30, 10:30] += 0.2 * torch.rand(20, 20, generator=torch.Generator().manual_seed(0))
    sample, degradation = Sample(lr, 2, ["small"]), Degradation(2, GaussianKernels(2))
    prior, plain = SpectralField(), Spectral()
    for each in (prior, plain):
        each.start(sample, degradation, [])
    assert not prior.varies
    torch.testing.assert_close(prior.kernel_at(0.1, 0.9), plain.kernel())


def test_windows_of_a_large_image_are_bounded() -> None:
    image = torch.rand(1, 1, 2000, 1500, generator=torch.Generator().manual_seed(0))
    corners = field_module._corners(image, 96, 96)
    assert len(set(corners)) == field_module.MAX_WINDOWS**2
    assert max(top for top, _ in corners) <= 2000 - 96


class OneField(KernelField):
    """A field with the same kernel everywhere."""

    def __init__(self, kernel: torch.Tensor) -> None:
        super().__init__()
        self.one = kernel

    @property
    def varies(self) -> bool:
        return True

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Nothing to do."""

    def kernel(self) -> torch.Tensor:
        return self.one

    def kernel_at(self, y: float, x: float) -> torch.Tensor:
        return self.one


def test_blended_tiles_of_one_kernel_have_no_seams() -> None:
    from sr_lab.backbones.usrnet import load_usrnet

    sample, chain = blurred((1, 1), (0.4, 0.8))
    assert sample.kernel is not None
    lr, noise, solver = sample.lr[..., :120, :140], torch.zeros(1), load_usrnet("usrnet_small")
    plain, blended = (
        torch.cat(list(restored_in_tiles(solver, lr, kernel, 2, noise, chain)), -2)
        for kernel in (sample.kernel, OneField(sample.kernel))
    )
    assert (plain - blended).square().mean().sqrt() < 0.003


def test_the_method_restores_with_the_field_it_is_given() -> None:
    from sr_lab.backbones.usrnet import load_usrnet

    sample, chain = blurred((1, 1), (0.4, 0.8))
    small = Sample(sample.lr[..., :64, :64], 2, ["crop"], sample.hr, sample.kernel)
    assert sample.kernel is not None
    results = []
    for prior in (Oracle(), OneField(sample.kernel)):
        method = NonBlind(prior, load_usrnet("usrnet_small"))
        method.bind(chain, 0)
        results.append(method.restore(small).sr)
    inner = (results[0] - results[1])[..., 16:-16, 16:-16]
    assert inner.square().mean().sqrt() < 0.004


def test_kinds_of_field_have_unit_variance_over_an_image() -> None:
    place = (torch.linspace(-0.5, 0.5, 200, dtype=torch.float64)) / math.sqrt(2)
    places = torch.cartesian_prod(place[::7], place[::7])
    for kind in (smooth_module.lens, smooth_module.tilt):
        assert kind(places, places).diagonal().mean().item() == pytest.approx(1, rel=0.1)
        assert kind(places, places).mean().abs().item() < 0.01


def test_it_is_a_choice_of_runs(tmp_path: Path) -> None:
    choices = ["experiment=fast", "prior=spectral_field", "degradation=gaussian_field", "scale=2"]
    crop = ["dataset.images.names=[astronaut]", "dataset.images.crop=[60,160,160,160]", f"out={tmp_path}"]
    record, _ = run(to_plain(compose([*choices, *crop, "tracking=none", "dataset.images.shrink=1"])))
    assert record is not None
    assert record.labels["prior"] == "spectral_field"
    assert record.metrics["psnr_y"].mean > record.metrics["psnr_y@bicubic"].mean
