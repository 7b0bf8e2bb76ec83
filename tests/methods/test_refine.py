"""Refinement of the spectral prior's width by what the solver leaves unexplained."""

import math

import pytest
import torch
from torch import Tensor

from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.errors import UserError
from sr_lab.methods.non_blind import NonBlind
from sr_lab.methods.refine import CAUTIONS, detailed_crops, preferred, refined, residual
from sr_lab.priors.fixed import Oracle
from sr_lab.priors.spectral.prior import Spectral


def photograph() -> Tensor:
    from skimage import data

    pixels = torch.from_numpy(data.astronaut()[:320, 60:380]).permute(2, 0, 1)[None]
    return (pixels.float() / 255).contiguous()


def started(degradation: Degradation) -> tuple[Spectral, Sample]:
    made = degradation.degrade(photograph(), torch.Generator().manual_seed(0))
    sample = Sample(made.lr, degradation.scale, ["astronaut"], kernel=made.kernel)
    prior = Spectral()
    prior.start(sample, degradation, [])
    return prior, sample


def test_without_weight_the_priors_own_caution_stays() -> None:
    rms = torch.rand(len(CAUTIONS), 3, generator=torch.Generator().manual_seed(0))
    assert preferred(rms, 1.0, 0.0).tolist() == [1.0, 1.0, 1.0]


def test_what_explains_more_is_preferred_as_far_as_it_is_likely() -> None:
    rms = torch.ones(len(CAUTIONS), 2)
    better = CAUTIONS.index(2.0)
    rms[better] = torch.tensor([math.exp(-0.4), math.exp(-0.6)])  # times a weight of 1, against (2 - 1)^2 / 2
    assert preferred(rms, 1.0, 1.0).tolist() == [1.0, 2.0]


def test_residual_is_that_of_the_degraded_image() -> None:
    degradation = Degradation(2, GaussianKernels(2))
    hr = photograph()
    kernel = GaussianKernels(2).sample(1, torch.Generator().manual_seed(1))
    lr = degradation(hr, kernel)
    assert residual(hr, kernel, lr, degradation).item() == pytest.approx(0.01 / 255)
    assert residual(hr, kernel, lr + 0.1, degradation).item() == pytest.approx(0.1, rel=1e-4)


def test_a_solver_that_only_explains_narrow_kernels_gets_a_narrower_one() -> None:
    """A stand-in solver leaves an error that grows with the kernel's width."""
    degradation = Degradation(2, GaussianKernels(2))
    prior, sample = started(degradation)

    def restore(lr: Tensor, kernel: Tensor) -> Tensor:
        return torch.zeros(*lr.shape[:2], 2 * lr.shape[2], 2 * lr.shape[3]) + 1 / kernel.amax()

    narrower = refined(restore, prior, sample.lr, degradation, 500.0)
    assert narrower.amax() > 1.05 * prior.kernel().amax()
    same = refined(restore, prior, sample.lr, degradation, 0.0)
    torch.testing.assert_close(same, prior.kernel())


def test_crops_are_square_and_detailed() -> None:
    lr = torch.full((2, 1, 60, 80), 0.5)
    lr[0, :, :20, :20] = torch.rand(20, 20, generator=torch.Generator().manual_seed(0))
    lr[1, :, 40:, 60:] = torch.rand(20, 20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(detailed_crops(lr, 20), torch.stack([lr[0, :, :20, :20], lr[1, :, 40:, 60:]]))
    assert detailed_crops(lr, 70).shape == (2, 1, 60, 70)


def test_through_the_method_with_the_shipped_solver() -> None:
    from sr_lab.backbones.usrnet import load_usrnet

    degradation = Degradation(4, GaussianKernels(4))
    _, sample = started(degradation)
    kernels = []
    for refine in (0.0, 32.0):
        method = NonBlind(Spectral(), load_usrnet("usrnet_small"), renormalise=True, refine=refine)
        method.bind(degradation, 0)
        restored = method.restore(sample)
        assert restored.kernel is not None
        assert restored.kernel.sum().item() == pytest.approx(1, abs=1e-4)
        kernels.append(restored.kernel)
    assert kernels[0].shape == kernels[1].shape


def test_a_prior_that_is_always_sure_is_refused() -> None:
    with pytest.raises(UserError, match="Oracle does not say how sure it is"):
        NonBlind(Oracle(), torch.nn.Identity(), refine=1.0)
