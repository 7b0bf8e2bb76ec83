import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import Anchor, default_kernel_size
from sr_lab.degradation.blur import blur_decimate
from sr_lab.degradation.chain import Degradation, keyed_generator
from sr_lab.degradation.gaussian import GaussianKernels, centre_of_mass
from sr_lab.degradation.kernel_files import KernelFiles
from sr_lab.degradation.motion import LineMotion
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.io.kernels import write_kernel
from sr_lab.metrics.kernel import kernel_psnr
from sr_lab.priors.base import KernelPrior, kernel_size_of
from sr_lab.priors.dkp import DKP, published_gaussians
from sr_lab.priors.double_dip import DoubleDIP
from sr_lab.priors.fixed import BicubicKernel, KernelFile, Oracle, bicubic_kernel
from sr_lab.priors.fkp import FKP
from sr_lab.priors.flow import KernelFlow
from sr_lab.priors.softmax import Softmax
from sr_lab.weights.store import Checkpoint, save_checkpoint

SIDE = 7


def degradation(scale: int = 2, size: int | None = SIDE, anchor: Anchor = "fkp") -> Degradation:
    return Degradation(scale, GaussianKernels(scale, size=size, anchor=anchor), anchor=anchor)


def sample(images: int = 2, side: int | None = SIDE) -> Sample:
    kernel = None if side is None else torch.full((images, 1, side, side), 1 / side**2)
    return Sample(torch.zeros(images, 3, 8, 8), 2, [f"image {i}" for i in range(images)], kernel=kernel)


def generators(*names: str) -> list[torch.Generator]:
    return [keyed_generator(0, name, "method") for name in names]


@pytest.fixture
def flow_file(tmp_path: Path) -> str:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        flow = KernelFlow(SIDE, 6, 0.3)
    save_checkpoint(tmp_path / "flow.pt", Checkpoint(flow.state_dict()))
    return str(tmp_path / "flow.pt")


def test_fkp_decodes_a_code_per_image(flow_file: str):
    prior = FKP(flow_file)
    prior.start(sample(), degradation(), generators("a", "b"))
    expected = torch.stack([torch.randn(49, generator=g) for g in generators("a", "b")])
    assert torch.equal(prior.code, expected)
    assert torch.equal(prior.kernel(), prior.flow.decode(expected))
    assert [parameter.shape for parameter in prior.steppable()] == [(2, 49)]
    assert (prior.lr, prior.first_update) == (0.5, 77)
    prior.kernel().sum().backward()
    assert prior.code.grad is not None


def test_fkp_keeps_its_codes_on_the_sphere(flow_file: str):
    for radius, expected in ((None, SIDE - 1), (2.5, 2.5)):
        prior = FKP(flow_file, radius=radius)
        prior.start(sample(), degradation(), generators("a", "b"))
        before = prior.code.detach().clone()
        prior.after_step()
        norms = prior.code.norm(dim=1)
        assert norms.tolist() == pytest.approx([expected] * 2, rel=1e-6)
        torch.testing.assert_close(prior.code.detach() / expected, before / before.norm(dim=1, keepdim=True))


def test_fkp_turns_its_kernels_to_the_anchor(flow_file: str):
    at_fkp, at_block = FKP(flow_file), FKP(flow_file)
    at_fkp.start(sample(), degradation(), generators("a", "b"))
    at_block.start(sample(), degradation(anchor="block_center"), generators("a", "b"))
    assert torch.equal(at_block.kernel(), torch.rot90(at_fkp.kernel(), 2, (-2, -1)))


def test_fkp_renormalises_if_asked(flow_file: str):
    raw, whole = FKP(flow_file), FKP(flow_file, renormalise=True)
    for prior in (raw, whole):
        prior.start(sample(), degradation(), generators("a", "b"))
    sums = raw.kernel().sum((1, 2, 3))
    assert (sums - 1).abs().min() > 0.01
    torch.testing.assert_close(whole.kernel(), raw.kernel() / sums[:, None, None, None])


def test_fkp_refuses_kernels_of_another_size(flow_file: str):
    with pytest.raises(UserError, match="7x7 kernels, the degradation 11x11"):
        FKP(flow_file).start(sample(side=11), degradation(size=11), generators("a", "b"))


def test_fkp_that_says_its_scale_brings_its_own_window(tmp_path: Path, flow_file: str):
    state = KernelFlow(SIDE, 6, 0.3).state_dict()
    save_checkpoint(tmp_path / "mine.pt", Checkpoint(state, {"scale": 2}))
    prior = FKP(str(tmp_path / "mine.pt"))
    prior.start(sample(side=11), degradation(size=11), generators("a", "b"))
    assert prior.kernel().shape == (2, 1, SIDE, SIDE)
    with pytest.raises(UserError, match="trained for x2, the degradation is x3"):
        prior.start(sample(side=11), degradation(3, size=11), generators("a", "b"))


def test_a_prior_may_be_started_again(flow_file: str):
    for prior in (FKP(flow_file), DoubleDIP(hidden=8), Softmax(), Oracle()):
        prior.start(sample(1), degradation(), generators("a"))
        first = prior.kernel().detach().clone()
        prior.start(sample(2), degradation(), generators("b", "a"))
        torch.testing.assert_close(prior.kernel()[1:].detach(), first)
        assert len(prior.kernel()) == 2


def test_double_dip_has_the_published_size_and_start():
    prior = DoubleDIP()
    prior.start(sample(1, 19), degradation(4, 19), generators("a"))
    assert sum(parameter.numel() for parameter in prior.steppable()) == 562_361
    assert (prior.lr, prior.first_update) == (1e-4, 1)
    assert prior.code.shape == (1, 200)
    assert prior.code.min() >= 0
    assert 0.09 < prior.code.max() < 0.1
    for weights, fan_in in ((prior.weight_in, 200), (prior.weight_out, 1000), (prior.bias_out, 1000)):
        bound = 1 / math.sqrt(fan_in)  # as torch.nn.Linear
        assert 0.97 * bound < weights.max() <= bound
        assert -bound <= weights.min() < -0.97 * bound
    kernel = prior.kernel()
    assert kernel.shape == (1, 1, 19, 19)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)


def test_double_dip_is_linear_relu6_linear_softmax():
    prior = DoubleDIP(code_size=5, hidden=32)
    prior.start(sample(1), degradation(), generators("a"))
    with torch.no_grad():
        prior.weight_in.mul_(200)  # so that ReLU6 is met at both ends
    code, w1, b1, w2, b2 = (
        x.detach().numpy()[0]
        for x in (prior.code, prior.weight_in, prior.bias_in, prior.weight_out, prior.bias_out)
    )
    hidden = np.minimum(np.maximum(code @ w1 + b1[0], 0), 6)
    assert {0.0, 6.0} < set(hidden.tolist())
    exponentials = np.exp(hidden @ w2 + b2[0])
    expected = (exponentials / exponentials.sum()).reshape(SIDE, SIDE)
    np.testing.assert_allclose(prior.kernel()[0, 0].detach().numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["double_dip", "softmax", "fkp"])
def test_two_images_at_once_are_each_alone(name: str, flow_file: str):
    def estimate(names: list[str]) -> torch.Tensor:
        priors: dict[str, KernelPrior] = {
            "double_dip": DoubleDIP(lr=1e-2, hidden=32),
            "softmax": Softmax(),
            "fkp": FKP(flow_file),
        }
        prior = priors[name]
        prior.start(sample(len(names)), degradation(), generators(*names))
        target = torch.stack([torch.rand(1, SIDE, SIDE, generator=g) for g in generators(*names)]) / SIDE**2
        adam = torch.optim.Adam(prior.steppable(), lr=prior.lr)
        for _ in range(5):
            adam.zero_grad()
            ((prior.kernel() - target) ** 2).sum().backward()
            adam.step()
            prior.after_step()
        return prior.kernel().detach()

    together = estimate(["a", "b"])
    for index, image in enumerate("ab"):
        torch.testing.assert_close(together[index : index + 1], estimate([image]), atol=1e-6, rtol=1e-4)


def test_softmax_starts_flat():
    prior = Softmax()
    prior.start(sample(3), degradation(), generators("a", "b", "c"))
    torch.testing.assert_close(prior.kernel(), torch.full((3, 1, SIDE, SIDE), 1 / SIDE**2))
    assert torch.equal(prior.logits, torch.ones(3, SIDE**2))
    assert (prior.lr, prior.first_update) == (0.5, 77)


def test_the_oracle_is_the_true_kernel_and_nothing_steps():
    prior, known = Oracle(), sample(2)
    prior.start(known, degradation(), generators("a", "b"))
    assert known.kernel is not None
    assert torch.equal(prior.kernel(), known.kernel)
    assert prior.steppable() == []
    with pytest.raises(UserError, match="true kernel"):
        prior.start(sample(2, None), degradation(), generators("a", "b"))


def test_a_kernel_file_serves_all_images(tmp_path: Path):
    kernel = GaussianKernels(2).sample(1, torch.Generator().manual_seed(0))
    write_kernel(tmp_path / "kernel.npy", kernel[0, 0].double().numpy())
    prior = KernelFile(str(tmp_path / "kernel.npy"))
    prior.start(sample(2, None), degradation(), generators("a", "b"))
    torch.testing.assert_close(prior.kernel(), kernel.expand(2, -1, -1, -1))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("anchor", ["fkp", "block_center"])
def test_the_bicubic_kernel_does_what_imresize_does(scale: int, anchor: Anchor):
    hr = torch.rand(1, 2, 20 * scale, 22 * scale, generator=torch.Generator().manual_seed(0))
    kernel = bicubic_kernel(scale, anchor)
    assert kernel.shape[-1] == default_kernel_size(scale)
    ours = blur_decimate(hr, kernel, scale)
    # LR pixels at the fkp anchor sit s-1 px above and left of the block centres
    seen = hr if anchor == "block_center" else torch.roll(hr, (scale - 1, scale - 1), (-2, -1))
    inner = (..., slice(3, -3), slice(3, -3))
    torch.testing.assert_close(ours[inner], imresize(seen, 1 / scale)[inner], atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 6, 7, 8])
def test_the_bicubic_kernel_is_whole_at_every_scale(scale: int):
    for anchor in ("fkp", "block_center"):
        kernel = bicubic_kernel(scale, anchor)
        size = kernel.shape[-1]
        assert size % 2 == 1
        assert kernel.sum().item() == pytest.approx(1, abs=1e-6)
        expected = (size - scale) / 2 if anchor == "fkp" else (size + scale) / 2 - 1
        assert centre_of_mass(kernel).flatten().tolist() == pytest.approx([expected] * 2, abs=1e-4)


def test_the_bicubic_prior_needs_no_kernel_to_be_known():
    prior = BicubicKernel()
    prior.start(sample(2, None), Degradation(2, None, anchor="block_center"), generators("a", "b"))
    assert torch.equal(prior.kernel(), bicubic_kernel(2, "block_center").expand(2, -1, -1, -1))


@pytest.mark.parametrize("anchor", ["fkp", "block_center"])
@pytest.mark.parametrize("name", ["fkp", "double_dip", "softmax", "dkp"])
def test_a_prior_starts_from_an_estimate(name: str, anchor: Anchor):
    made = GaussianKernels(2, anchor=anchor)
    kernels = made.sample(2, torch.Generator().manual_seed(0))
    known = Sample(torch.zeros(2, 3, 8, 8), 2, ["a", "b"])
    priors: dict[str, KernelPrior] = {
        "fkp": FKP("fkp_x2"),
        "double_dip": DoubleDIP(),
        "softmax": Softmax(),
        "dkp": DKP(published_gaussians),
    }
    prior = priors[name]
    prior.start(known, Degradation(2, made, anchor=anchor), generators("a", "b"))
    assert kernel_psnr(prior.kernel().detach(), kernels).min() < 45
    prior.start_from(kernels)
    assert kernel_psnr(prior.kernel().detach(), kernels).min() > 65
    if name == "fkp":
        assert prior.get_parameter("code").norm(dim=1).tolist() == pytest.approx([10.0] * 2, rel=1e-6)
    # a kernel with hard zeros, of another family: still near, still able to move
    line = LineMotion(scale=2, anchor=anchor).sample(2, torch.Generator().manual_seed(1))
    prior.start_from(line)
    assert kernel_psnr(prior.kernel().detach(), line).min() > (25 if name == "fkp" else 50)
    prior.kernel().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in prior.steppable())
    with pytest.raises(UserError, match="7x7 pixels, the prior's kernels 11x11"):
        prior.start_from(torch.full((2, 1, SIDE, SIDE), 1 / SIDE**2))


def test_a_warm_start_keeps_the_random_weights():
    prior = DoubleDIP(hidden=8)
    prior.start(sample(1), degradation(), generators("a"))
    before = [parameter.detach().clone() for parameter in prior.steppable()]
    prior.start_from(GaussianKernels(2, size=SIDE).sample(1, torch.Generator().manual_seed(0)))
    changed = [not torch.equal(a, b) for a, b in zip(before, prior.steppable(), strict=True)]
    assert changed == [False, False, False, True], "only the last biases"


def test_a_prior_with_nothing_to_step_cannot_start_from_an_estimate():
    prior, known = Oracle(), sample(1)
    prior.start(known, degradation(), generators("a"))
    assert known.kernel is not None
    with pytest.raises(UserError, match="Oracle cannot start from"):
        prior.start_from(known.kernel)


def test_the_size_of_kernels_to_estimate(tmp_path: Path):
    known, unknown = sample(1, 9), sample(1, None)
    assert kernel_size_of(known, degradation()) == 9
    assert kernel_size_of(unknown, degradation()) == SIDE
    assert kernel_size_of(unknown, degradation(size=None)) == 11
    assert kernel_size_of(unknown, Degradation(2, LineMotion(scale=2))) == 11
    assert kernel_size_of(unknown, Degradation(2, LineMotion(scale=2, size=15))) == 15
    write_kernel(tmp_path / "kernel.npy", np.full((13, 13), 1 / 169))
    files = KernelFiles(tmp_path, scale=2, recentre=False)
    assert kernel_size_of(unknown, Degradation(2, files)) == 13
    with pytest.raises(UserError, match="no blur kernel"):
        kernel_size_of(unknown, Degradation(2, None, anchor="block_center"))
