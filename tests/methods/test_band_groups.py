"""A kernel for each group of bands: who gets which, and what is gained on a cube whose blur widens."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor, nn

from sr_lab.config.compose import compose, to_plain
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.gaussian_spectrum import GaussianSpectrum, SpectralBlur
from sr_lab.errors import UserError
from sr_lab.methods.band_groups import BandGroups
from sr_lab.metrics.kernel import band_kernel_psnr, kernel_psnr
from sr_lab.priors.fixed import Oracle
from sr_lab.priors.spectral.prior import Spectral
from sr_lab.run import run

BANDS = 7


class Counting(nn.Module):
    """A solver that enlarges by repeating, and keeps the kernels it was given."""

    channels = 3

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[Tensor] = []

    def forward(self, lr: Tensor, kernel: Tensor, scale: int, noise_level: Tensor) -> Tensor:
        self.kernels.append(kernel)
        return lr.repeat_interleave(scale, 2).repeat_interleave(scale, 3)


def textured(side: int = 160, bands: int = BANDS) -> Tensor:
    """Mixtures of the colours of a photograph."""
    colours = torch.from_numpy(data.astronaut()[20 : 20 + side, 140 : 140 + side]).permute(2, 0, 1) / 255
    shares = torch.rand(bands, 3, generator=torch.Generator().manual_seed(4))
    return torch.einsum("bc,chw->bhw", shares / shares.sum(1, keepdim=True), colours)[None]


def widening(optics: float = 0.9) -> tuple[SpectralBlur, Sample]:
    degradation = SpectralBlur(
        2,
        GaussianSpectrum(2, optics=(optics, optics), variance=(2.0, 4.0)),
        boundary="circular",
    )
    hr = textured()
    degraded = degradation.degrade(hr, torch.Generator().manual_seed(1))
    sample = Sample(
        degraded.lr,
        2,
        ["cube"],
        hr,
        degraded.kernel,
        degraded.noise_level,
        band_kernels=degraded.band_kernels,
    )
    return degradation, sample


def restore(method: BandGroups, degradation: Degradation, sample: Sample) -> Any:
    method.bind(degradation, 0)
    return method.restore(sample)


def test_the_oracle_gives_every_group_the_mean_of_its_true_kernels() -> None:
    degradation, sample = widening()
    solver = Counting()
    restored = restore(BandGroups(Oracle(), solver, groups=3, components=2), degradation, sample)
    assert sample.band_kernels is not None
    groups = torch.arange(BANDS).tensor_split(3)
    for group in groups:
        mean = sample.band_kernels[:, group].mean(1, keepdim=True)
        torch.testing.assert_close(restored.band_kernels[:, group], mean.expand(-1, len(group), -1, -1))
    assert [len(kernels) for kernels in solver.kernels] == [2, 2, 2]
    assert restored.sr.shape == sample.hr.shape  # pyright: ignore[reportOptionalMemberAccess]
    torch.testing.assert_close(restored.kernel, restored.band_kernels.mean(1, keepdim=True))


def test_more_groups_than_bands_and_one_shared_kernel() -> None:
    degradation = Degradation(2, GaussianKernels(2))
    degraded = degradation.degrade(textured(bands=3), torch.Generator().manual_seed(1))
    sample = Sample(degraded.lr, 2, ["cube"], kernel=degraded.kernel)
    restored = restore(BandGroups(Oracle(), Counting(), groups=6), degradation, sample)
    assert degraded.kernel is not None
    torch.testing.assert_close(restored.band_kernels, degraded.kernel.expand(-1, 3, -1, -1))


def test_tied_estimates_beat_one_kernel_for_all() -> None:
    degradation, sample = widening()
    assert sample.band_kernels is not None
    restored = restore(BandGroups(Spectral(), Counting(), groups=4), degradation, sample)
    one = Spectral()
    one.start(Sample(sample.lr.mean(1, keepdim=True), 2, ["cube"], kernel=sample.kernel), degradation, [])
    alike = one.kernel().expand(-1, BANDS, -1, -1)
    gain = band_kernel_psnr(restored.band_kernels, sample.band_kernels) - band_kernel_psnr(
        alike, sample.band_kernels
    )
    assert float(gain) > 2
    widths = [_variance(kernel) for kernel in restored.band_kernels[0].numpy()]
    assert all(narrow <= wide + 1e-6 for narrow, wide in pairwise(widths))


def test_wavelengths_of_the_cube_come_before_those_assumed() -> None:
    degradation, sample = widening()
    free = BandGroups(Spectral(), Counting(), groups=3)
    known = BandGroups(Spectral(), Counting(), groups=3)
    told = Sample(
        sample.lr, 2, ["cube"], kernel=sample.kernel, meta={"cube": {"wavelengths": np.full(BANDS, 700.0)}}
    )
    spread = restore(free, degradation, sample).band_kernels
    alike = restore(known, degradation, told).band_kernels
    assert float((spread[:, 0] - spread[:, -1]).abs().max()) > 1e-3
    torch.testing.assert_close(alike[:, 0], alike[:, -1])


def test_band_kernel_psnr_is_the_mean_over_bands() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.rand(2, 2, 5, 3, 3, generator=generator).double()
    each = torch.stack([kernel_psnr(first[:, [b]], second[:, [b]]) for b in range(5)])
    torch.testing.assert_close(band_kernel_psnr(first, second), each.mean(0))


def test_nonsense_is_refused() -> None:
    with pytest.raises(UserError, match="0 groups"):
        BandGroups(Oracle(), Counting(), groups=0)


def test_a_run_measures_every_bands_kernel(tmp_path: Any) -> None:
    cubes = tmp_path / "cubes"
    cubes.mkdir()
    np.save(cubes / "a.npy", textured(64)[0].permute(1, 2, 0).numpy())
    chosen = [
        "experiment=fast_bands", "dataset=cubes", f"dataset.images.root={cubes}", "scale=2", "tracking=none",
        "trainer=cpu", f"out={tmp_path / 'runs'}", "metrics=[psnr_cube, kernel_psnr, kernel_psnr_band]",
    ]  # fmt: skip
    record, _ = run(to_plain(compose(chosen)))
    assert record is not None
    assert set(record.metrics) >= {"psnr_cube", "kernel_psnr", "kernel_psnr_band"}
    one, _ = run(
        to_plain(
            compose([*chosen, "experiment=fast", "scene=hyperspectral", "degradation=gaussian_spectrum"])
        )
    )
    assert one is not None
    assert "kernel_psnr_band" in one.metrics, "one kernel stands for all bands"


def _variance(kernel: np.ndarray) -> float:
    place = np.arange(len(kernel)) - (kernel.sum(0) * np.arange(len(kernel))).sum() / kernel.sum()
    return float((kernel.sum(0) * place**2).sum() / kernel.sum())
