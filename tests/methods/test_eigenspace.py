"""Methods for pictures on cubes: the way to eigenimages and back, and what the inner method is told."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sr_lab.backbones.channelwise import Channelwise, solver_for
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.resample import bicubic_upsample_aligned
from sr_lab.methods.base import Method
from sr_lab.methods.eigenspace import FILLED, EigenPictures, InEigenspace

SCALE = 2
DEGRADATION = Degradation(
    SCALE, GaussianKernels(SCALE, anchor="block_center", recentre=False), anchor="block_center"
)


def low_rank(rank: int, bands: int, side: int, seed: int = 0) -> Tensor:
    """A cube that mixes a few random maps, and a mean."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(rank, side * side, generator=generator)
    spectra = torch.rand(bands, rank, generator=generator)
    return (spectra @ maps / rank + 0.2).unflatten(1, (side, side))[None]


class Told(Method):
    """Restores by nothing, and keeps what it was told."""

    pictures = True
    told: Sample

    def restore(self, sample: Sample) -> Restored:
        self.told = sample
        sr = bicubic_upsample_aligned(sample.lr, sample.scale, self.degradation.anchor)
        return Restored(sr, stages={"dip": sr + 0.1})


@settings(max_examples=20, deadline=None)
@given(rank=st.integers(1, 4), bands=st.integers(1, 9), seed=st.integers(0, 99))
def test_true_sr_pictures_give_the_true_cube_back(rank: int, bands: int, seed: int) -> None:
    """A cube whose rank the basis has is restored exactly by its own pictures."""
    hr = low_rank(rank, bands, 16, seed)
    lr = DEGRADATION(hr, torch.full((1, 1, 5, 5), 1 / 25))
    space = EigenPictures.of(lr, rank + 1)
    back = space.cube(space.pictures(hr), lr, DEGRADATION)
    assert (back - hr).abs().max() < 2e-5


def test_pictures_fill_the_range_and_share_a_divisor() -> None:
    lr = low_rank(5, 12, 24)
    pictures = EigenPictures.of(lr, 3).pictures(lr)
    width = pictures.amax((2, 3)) - pictures.amin((2, 3))
    middle = (pictures.amax((2, 3)) + pictures.amin((2, 3))) / 2
    assert float(width.max()) == pytest.approx(FILLED, abs=1e-5)
    assert middle[0].tolist() == pytest.approx([0.5] * 3, abs=1e-5)
    spread = pictures.flatten(2).std(2)[0]
    by_hand = torch.linalg.svdvals(
        (lr - lr.mean((2, 3), keepdim=True)).flatten(2)[0].double()
    )  # their ratios are those of the cube's own components
    assert torch.allclose(spread / spread[0], (by_hand[:3] / by_hand[0]).float(), atol=1e-4)


def test_method_is_told_pictures_noise_and_what_to_estimate_on() -> None:
    cube = low_rank(3, 7, 24)
    inner = Told()
    method = InEigenspace(inner, 2)
    method.bind(DEGRADATION, 5)
    noise = torch.tensor([0.01])
    method.restore(Sample(cube, SCALE, ["a"], hr=None, noise_level=noise))
    told = inner.told
    assert inner.seed == 5
    assert told.lr.shape == (1, 2, 24, 24)
    assert told.hr is None
    assert told.grey is not None
    assert torch.equal(told.grey, told.lr[:, :1])
    # noise of a cube, seen through the same projection
    noisy = cube + 0.01 * torch.randn(cube.shape, generator=torch.Generator().manual_seed(1))
    seen = EigenPictures.of(cube, 2).pictures(noisy) - EigenPictures.of(cube, 2).pictures(cube)
    assert told.noise_level is not None
    assert float(seen.std()) == pytest.approx(float(told.noise_level), rel=0.1)
    # bicubic pictures are a bicubic cube, whatever is left out of the basis
    restored = method.restore(Sample(cube, SCALE, ["a"]))
    assert torch.allclose(restored.sr, bicubic_upsample_aligned(cube, SCALE, "block_center"), atol=1e-5)
    assert (restored.stages["dip"] - restored.sr).abs().max() > 1e-3


def test_flat_and_single_band_cubes_come_back_flat() -> None:
    for bands in (1, 4):
        lr = torch.full((1, bands, 24, 24), 0.3)
        method = InEigenspace(Told(), 6)
        method.bind(DEGRADATION, 0)
        sr = method.restore(Sample(lr, SCALE, ["flat"])).sr
        assert sr.shape == (1, bands, 48, 48)
        assert torch.allclose(sr, torch.full_like(sr, 0.3), atol=1e-6)


class Scaled(torch.nn.Module):
    """A solver whose result shows which kernel and noise level each picture came with."""

    channels = 3

    def forward(self, lr: Tensor, kernel: Tensor, scale: int, noise_level: Tensor) -> Tensor:
        factor = kernel.sum((1, 2, 3)) + noise_level
        return lr.repeat_interleave(scale, 2).repeat_interleave(scale, 3) * factor[:, None, None, None]


def test_channels_reach_the_solver_one_by_one() -> None:
    generator = torch.Generator().manual_seed(0)
    lr = torch.rand(2, 11, 4, 4, generator=generator)  # more channels than go at once
    noise = torch.tensor([0.1, 0.2])
    shared = torch.rand(2, 1, 3, 3, generator=generator)
    own = torch.rand(2, 11, 3, 3, generator=generator)
    solver = Channelwise(Scaled())
    for kernel in (shared, own):
        factor = kernel.sum((2, 3)) + noise[:, None]
        expected = lr.repeat_interleave(2, 2).repeat_interleave(2, 3) * factor[:, :, None, None]
        assert torch.allclose(solver(lr, kernel, 2, noise), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "grey", "channelwise"), [(3, False, False), (3, True, True), (1, False, True)]
)
def test_only_colours_go_together(channels: int, grey: bool, channelwise: bool) -> None:
    lr = torch.rand(1, channels, 8, 8)
    sample = Sample(lr, 2, ["a"], grey=lr[:, :1] if grey else None)
    assert isinstance(solver_for(Scaled(), sample), Channelwise) == channelwise


def test_noise_beyond_the_eigenimages_is_left_out() -> None:
    clean = low_rank(3, 40, 24)
    noisy = clean + 0.05 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(2))
    method = InEigenspace(Told(), 4)
    method.bind(DEGRADATION, 0)
    told = method.restore(Sample(noisy, SCALE, ["a"], noise_level=torch.tensor([0.05]))).sr
    untold = method.restore(Sample(noisy, SCALE, ["a"])).sr
    truth = bicubic_upsample_aligned(clean, SCALE, "block_center")
    error = [float((sr - truth).square().mean()) for sr in (told, untold)]
    assert error[0] < 0.2 * error[1]
    # components that are more than noise are kept
    rich = low_rank(12, 40, 24)
    some = EigenPictures.of(rich, 2, torch.tensor([1e-4]))
    assert float(some.kept) > 0.99
    assert float(EigenPictures.of(noisy, 4, torch.tensor([0.05])).kept) < 0.2
