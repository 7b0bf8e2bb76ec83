from pathlib import Path

import pytest
import torch
from torch import nn

from sr_lab.backbones.data_step import DataStep
from sr_lab.backbones.usrnet import USRNet
from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import Anchor, anchor_centre
from sr_lab.degradation.blur import blur_decimate
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.noise import Rounding, quantise
from sr_lab.degradation.resample import imresize
from sr_lab.io.images import read_image
from sr_lab.io.kernels import read_kernel
from sr_lab.methods.interpolate import Interpolate
from sr_lab.methods.non_blind import NonBlind, noise_of, solve
from sr_lab.metrics.image import psnr
from sr_lab.metrics.protocol import Protocol
from sr_lab.priors.fixed import BicubicKernel, Oracle, bicubic_kernel


class LeastSquares(nn.Module):
    """A solver whose only wish is to explain the LR image."""

    def forward(
        self, lr: torch.Tensor, kernel: torch.Tensor, scale: int, noise: torch.Tensor
    ) -> torch.Tensor:
        start = torch.zeros(*lr.shape[:2], lr.shape[2] * scale, lr.shape[3] * scale, dtype=lr.dtype)
        return DataStep(lr, kernel, scale)(start, torch.full((len(lr), 1, 1, 1), 1e-7, dtype=lr.dtype))


class Witness(nn.Module):
    """Remembers what it is called with."""

    def forward(
        self, lr: torch.Tensor, kernel: torch.Tensor, scale: int, noise: torch.Tensor
    ) -> torch.Tensor:
        self.kernel, self.noise = kernel, noise
        return torch.nn.functional.interpolate(lr, scale_factor=scale)


def photo(scale: int, images: int = 2) -> torch.Tensor:
    noise = torch.rand(images, 3, 12, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return imresize(noise, (9 * scale, 8 * scale)).clamp(0, 1)


def small_net() -> USRNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return USRNet(iterations=2, widths=[4, 4, 4, 4], blocks=1, hyper_width=4).eval()


def compact(scale: int, anchor: Anchor) -> torch.Tensor:
    """One asymmetric 3x3 blot, its place the only difference between the anchors; nothing near the rim."""
    size = 4 * scale + 3
    at = int(anchor_centre(size, scale, anchor))
    kernel = torch.zeros(2, 1, size, size)
    kernel[..., at - 1 : at + 2, at - 1 : at + 2] = torch.arange(1.0, 10.0).view(3, 3) / 45
    kernel[1] = kernel[1].mT.clone()
    return kernel


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_block_center_kernel_is_solved_as_the_image_moved(scale: int):
    net, move = small_net(), scale - 1
    hr = photo(scale * 3).float()[..., : 24 * scale, : 20 * scale]
    at_block, at_fkp = compact(scale, "block_center"), compact(scale, "fkp")
    moved = torch.roll(hr, (-move, -move), (-2, -1))
    lr = blur_decimate(hr, at_block, scale)
    torch.testing.assert_close(lr, blur_decimate(moved, at_fkp, scale))
    noise = torch.tensor([0.0, 0.05])
    sr = solve(net, lr, at_block, scale, noise, "block_center")
    expected = solve(net, lr, at_fkp, scale, noise, "fkp")  # of the moved image
    torch.testing.assert_close(sr, torch.roll(expected, (move, move), (-2, -1)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("anchor", ["fkp", "block_center"])
@pytest.mark.parametrize(("scale", "phase"), [(2, 0), (2, 1), (3, 2), (4, 0), (4, 3)])
def test_the_solution_degrades_to_the_lr_image(scale: int, phase: int, anchor: Anchor):
    chain = Degradation(scale, GaussianKernels(scale, anchor=anchor), anchor=anchor, phase=phase)
    kernels = GaussianKernels(scale, variance=(0.35, 1.0), anchor=anchor)
    kernel = kernels.sample(2, torch.Generator().manual_seed(0)).double()
    kernel = kernel / kernel.sum((2, 3), keepdim=True)
    lr = chain(photo(scale * 3), kernel)
    sr = solve(LeastSquares(), lr, kernel, scale, torch.zeros(2), anchor, phase=phase)
    torch.testing.assert_close(chain(sr, kernel), lr, atol=1e-4, rtol=0)


def test_kernels_are_normalised_if_asked():
    witness, kernel = Witness(), torch.rand(2, 1, 5, 5)
    lr = torch.rand(2, 3, 8, 8)
    solve(witness, lr, kernel, 2, torch.zeros(2), "fkp", renormalise=False)
    assert torch.equal(witness.kernel, kernel)
    solve(witness, lr, kernel, 2, torch.zeros(2), "fkp", renormalise=True)
    torch.testing.assert_close(witness.kernel.sum((1, 2, 3)), torch.ones(2))
    torch.testing.assert_close(witness.kernel[0] / witness.kernel[0, 0, 0, 0], kernel[0] / kernel[0, 0, 0, 0])


def test_the_noise_that_a_solver_is_told():
    lr = torch.zeros(2, 3, 4, 4)
    known = Sample(lr, 2, ["a", "b"], noise_level=torch.tensor([0.1, 0.2]))
    unknown = Sample(lr, 2, ["a", "b"])
    assert noise_of(known, None).tolist() == pytest.approx([0.1, 0.2])
    assert noise_of(unknown, None).tolist() == [0, 0]
    for sample in (known, unknown):
        assert noise_of(sample, 0.04).tolist() == pytest.approx([0.04, 0.04])


@pytest.mark.parametrize("anchor", ["fkp", "block_center"])
def test_the_method_hands_prior_and_noise_to_the_solver(anchor: Anchor):
    chain = Degradation(2, GaussianKernels(2, anchor=anchor), anchor=anchor)
    hr = photo(6).float()
    out = chain.degrade(hr, torch.Generator().manual_seed(0))
    assert out.kernel is not None
    sample = Sample(out.lr, 2, ["a", "b"], hr=hr, kernel=out.kernel, noise_level=torch.tensor([0.0, 0.1]))
    net = small_net()
    method = NonBlind(Oracle(), net)
    method.bind(chain, seed=0)
    restored = method.restore(sample)
    expected = solve(net, out.lr, out.kernel, 2, torch.tensor([0.0, 0.1]), anchor, renormalise=False)
    assert torch.equal(restored.sr, expected)
    assert restored.kernel is not None
    assert torch.equal(restored.kernel, out.kernel)
    assert restored.seconds > 0
    assert not restored.sr.requires_grad
    witness = Witness()
    method = NonBlind(BicubicKernel(), witness, noise_level=0.02)
    method.bind(chain, seed=0)
    kernel = method.restore(sample).kernel
    assert kernel is not None
    assert torch.equal(kernel, bicubic_kernel(2, anchor).expand(2, -1, -1, -1))
    assert witness.noise.tolist() == pytest.approx([0.02, 0.02])


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("anchor", ["fkp", "block_center"])
def test_bicubic_lies_on_the_hr_grid(scale: int, anchor: Anchor):
    ramp = torch.arange(40.0 * scale).expand(1, 1, 20 * scale, -1).contiguous()
    kernels = GaussianKernels(scale, variance=(0.175 * scale, 2.0), isotropic=True, anchor=anchor)
    chain = Degradation(scale, kernels, anchor=anchor, boundary="replicate")
    sample = Sample(chain.degrade(ramp, torch.Generator().manual_seed(0)).lr, scale, ["ramp"])
    errors = {}
    for aligned in (True, False):
        method = Interpolate(aligned)
        method.bind(chain, seed=0)
        sr = method.restore(sample).sr
        errors[aligned] = (sr - ramp)[..., 6 * scale : -6 * scale, 6 * scale : -6 * scale]
    assert errors[True].abs().max() < 0.02
    expected = 0 if anchor == "block_center" else -(scale - 1)
    assert errors[False].mean().item() == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("aligned", "whole", "part"), [(True, 24.50, 19.67), (False, 21.62, 16.79)])
def test_bicubic_scores_as_measured_on_the_published_image(
    data: Path, aligned: bool, whole: float, part: float
):
    pair = data / "natural" / "fkp_test"
    photo = torch.from_numpy(read_image(pair / "102061_hr.png").pixels).permute(2, 0, 1)[None]
    kernel = torch.from_numpy(read_kernel(pair / "102061_kernel_x4.mat")).float()[None, None]
    method = Interpolate(aligned)
    method.bind(Degradation(4, GaussianKernels(4)), seed=0)
    cases: list[tuple[torch.Tensor, Rounding, float]] = [
        (photo[..., :480, :320], "floor", whole),
        (photo[..., 96:224, 112:240], "round", part),
    ]
    for hr, how, expected in cases:
        lr = quantise(blur_decimate(hr, kernel, 4), how)
        sr = method.restore(Sample(lr, 4, ["102061"])).sr
        assert psnr(sr, hr, Protocol.published(4)).item() == pytest.approx(expected, abs=0.05)
