from pathlib import Path

import pytest
import torch
from reference import usrnet as reference

from sr_lab.backbones.usrnet import USRNet, load_usrnet, usrnet_from
from sr_lab.degradation.blur import blur_decimate
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.kernel_files import KernelFiles
from sr_lab.degradation.noise import Rounding, quantise
from sr_lab.errors import UserError
from sr_lab.io.images import read_image
from sr_lab.metrics.image import psnr, ssim
from sr_lab.metrics.protocol import Protocol
from sr_lab.weights.store import Checkpoint, save_checkpoint


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**options: object) -> USRNet:
    defaults = {"iterations": 2, "widths": [4, 5, 6, 7], "blocks": 1, "hyper_width": 8}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return USRNet(**{**defaults, **options}).eval()


def batch(scale: int, height: int, width: int, images: int = 2) -> tuple[torch.Tensor, ...]:
    lr = torch.rand(images, 3, height, width, generator=seeded())
    return lr, GaussianKernels(scale).sample(images, seeded()), torch.tensor([0.0, 0.05])[:images]


def test_the_defaults_are_the_published_net():
    net = USRNet()
    assert sum(parameter.numel() for parameter in net.parameters()) == 590_332
    state = net.state_dict()
    assert len(state) == 42
    assert state["p.m_head.weight"].shape == (16, 4, 3, 3)
    assert state["h.mlp.4.bias"].shape == (12,)
    assert not [name for name in state if name.startswith("p.") and "bias" in name]


@pytest.mark.parametrize(("scale", "height", "width"), [(1, 13, 16), (2, 9, 7), (3, 6, 5), (4, 5, 6)])
def test_the_net_is_the_references(scale: int, height: int, width: int):
    net = small(blocks=2)
    lr, _, noise = batch(scale, height, width)
    kernels = GaussianKernels(scale, size=11).sample(2, seeded())
    with torch.no_grad():
        out = net(lr, kernels, scale, noise)
    for i in range(2):
        convolution = kernels[i, 0].flip(0, 1).double().numpy()
        expected = reference.restore(net.state_dict(), lr[i : i + 1], convolution, scale, noise[i].item())
        torch.testing.assert_close(out[i : i + 1].double(), expected, atol=1e-4, rtol=1e-4)


def test_noise_scaled_steps_start_at_half_quadratic_splitting():
    net = small(steps="noise_scaled", iterations=3)
    for sigma in (0.0, 0.1):
        sizes = net.h(torch.tensor([sigma]), 4).flatten().tolist()
        variance = sigma**2 + 1 / 255**2
        assert sizes[:3] == pytest.approx([0.3 * variance, 3 * variance, 30 * variance], rel=1e-4)
        assert sizes[3:] == pytest.approx([0.5, 0.015**0.5, 0.03], rel=1e-4)


def test_an_untrained_residual_net_is_the_data_step_alone():
    net = small(steps="noise_scaled", residual=True, iterations=1)
    hr = torch.rand(2, 3, 24, 20, generator=seeded())
    kernel = GaussianKernels(2).sample(2, seeded())
    sr = net(blur_decimate(hr, kernel, 2), kernel, 2, torch.zeros(2))
    torch.testing.assert_close(blur_decimate(sr, kernel, 2), blur_decimate(hr, kernel, 2), atol=1e-3, rtol=0)


OPTIONS = [{}, {"unshuffle": 2}, {"unshuffle": 4, "residual": True}, {"steps": "noise_scaled"}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(("scale", "height", "width"), [(1, 11, 23), (2, 7, 13), (3, 9, 6), (4, 5, 8)])
def test_any_size_and_scale_goes_through(options: dict, scale: int, height: int, width: int):
    net = small(**options)
    kernels = GaussianKernels(scale, size=11).sample(2, seeded())
    lr, _, noise = batch(scale, height, width)
    out = net(lr, kernels, scale, noise)
    assert out.shape == (2, 3, scale * height, scale * width)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("options", OPTIONS)
def test_images_of_a_batch_do_not_meet(options: dict):
    net = small(**options)
    lr, kernel, _ = batch(2, 12, 10)
    noise = torch.tensor([0.02, 0.05])  # told none, the data step amplifies rounding on images of noise
    together = net(lr, kernel, 2, noise)
    for i in range(2):
        alone = net(lr[i : i + 1], kernel[i : i + 1], 2, noise[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-4, rtol=1e-3)


def test_the_noise_level_and_the_kernel_matter():
    net = small()
    lr, kernel, _ = batch(2, 12, 10)
    clean = net(lr, kernel, 2, torch.zeros(2))
    assert (net(lr, kernel, 2, torch.full((2,), 0.1)) - clean).abs().max() > 1e-4
    assert (net(lr, kernel.mT, 2, torch.zeros(2)) - clean).abs().max() > 1e-4


def test_residual_adds_the_priors_input():
    plain, residual = small(iterations=1), small(iterations=1, residual=True)
    lr, kernel, noise = batch(2, 12, 10)
    seen: list[torch.Tensor] = []
    residual.load_state_dict(plain.state_dict())  # a residual prior starts at zero
    residual.p.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    torch.testing.assert_close(residual(lr, kernel, 2, noise), plain(lr, kernel, 2, noise) + seen[0])


def test_gradients_reach_every_parameter_and_the_kernel():
    net = small().train()
    lr, kernel, noise = batch(2, 12, 10)
    kernel.requires_grad_()
    net(lr, kernel, 2, noise).square().sum().backward()
    assert kernel.grad is not None
    assert kernel.grad.abs().max() > 0
    still = [name for name, p in net.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert still == []


@pytest.mark.parametrize(
    "options", [{}, {"unshuffle": 2, "residual": True, "channels": 1, "steps": "noise_scaled"}]
)
def test_a_checkpoint_rebuilds_the_net(options: dict, tmp_path: Path):
    net = small(**options)
    save_checkpoint(tmp_path / "net.pt", Checkpoint(net.state_dict(), net.architecture))
    again = load_usrnet(str(tmp_path / "net.pt"))
    assert again.architecture == net.architecture
    assert not again.training
    lr, kernel, noise = batch(2, 12, 10)
    lr = lr[:, : net.channels]
    assert torch.equal(again(lr, kernel, 2, noise), net(lr, kernel, 2, noise))


@pytest.mark.parametrize("steps", ["softplus", "noise_scaled"])
def test_a_bare_state_dict_tells_the_architecture(steps: str):
    net = small(iterations=3, blocks=2, steps=steps)
    again = usrnet_from(Checkpoint(net.state_dict()), "here")
    assert again.architecture == net.architecture


def test_other_weights_are_refused():
    state = small().state_dict()
    with pytest.raises(UserError, match=r"here.*not a USRNet.*h\.mlp\.4\.bias"):
        usrnet_from(Checkpoint({"weight": torch.zeros(1)}), "here")
    with pytest.raises(UserError, match=r"p\.m_tail\.weight"):
        usrnet_from(Checkpoint({k: v for k, v in state.items() if k != "p.m_tail.weight"}), "here")
    with pytest.raises(UserError, match="not a USRNet"):
        usrnet_from(Checkpoint(state, {"depth": 3}), "here")
    with pytest.raises(UserError, match="unshuffle"):
        USRNet(unshuffle=3)


@pytest.mark.parametrize(
    ("crop", "how", "expected_psnr", "expected_ssim"),
    [((96, 112, 128, 128), "round", 21.45, 0.6469), ((0, 0, 480, 320), "floor", 26.11, 0.7994)],
    ids=["crop", "whole"],
)
def test_published_weights_restore_as_published(
    data: Path,
    published_weights: Path,
    crop: tuple[int, int, int, int],
    how: Rounding,
    expected_psnr: float,
    expected_ssim: float,
):
    pair, (top, left, height, width) = data / "natural" / "fkp_test", crop
    photo = torch.from_numpy(read_image(pair / "102061_hr.png").pixels).permute(2, 0, 1)[None]
    hr = photo[..., top : top + height, left : left + width]
    kernel = KernelFiles(pair / "102061_kernel_x4.mat", scale=4, recentre=False).kernels
    lr = quantise(blur_decimate(hr, kernel, 4), how)
    with torch.no_grad():
        sr = load_usrnet(str(published_weights / "usrnet_tiny.pth"))(lr, kernel, 4, torch.zeros(1))
    assert psnr(sr, hr, Protocol.published(4)).item() == pytest.approx(expected_psnr, abs=0.05)
    assert ssim(sr, hr, Protocol.published(4)).item() == pytest.approx(expected_ssim, abs=0.003)
