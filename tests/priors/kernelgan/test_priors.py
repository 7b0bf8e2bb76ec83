"""Both priors whole: on synthetic pictures, small ones, odd channel counts, and through the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sr_lab.config.compose import compose, to_plain
from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import Anchor, anchor_centre
from sr_lab.degradation.chain import Degradation, keyed_generator
from sr_lab.degradation.gaussian import GaussianKernels, centre_of_mass, gaussian_kernels
from sr_lab.errors import UserError
from sr_lab.metrics.kernel import kernel_psnr, zero_kernel_floor
from sr_lab.priors.base import KernelPrior
from sr_lab.priors.kernelgan.critic import Critic
from sr_lab.priors.kernelgan.crops import crops_of_both_sizes
from sr_lab.priors.kernelgan.cross_scale import CrossScale
from sr_lab.priors.kernelgan.generator import halve
from sr_lab.priors.kernelgan.kernelgan import KernelGAN
from sr_lab.priors.kernelgan.kernelgan_fkp import KernelGANFKP
from sr_lab.run import run


def few(name: str) -> CrossScale:
    """A prior that is through in a second."""
    return KernelGAN(iterations=5) if name == "kernelgan" else KernelGANFKP(iterations=2, batch=2)


def picture(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, *shape, generator=torch.Generator().manual_seed(seed))


def estimate(
    prior: KernelPrior,
    lr: torch.Tensor,
    scale: int = 2,
    anchor: Anchor = "fkp",
    names: tuple[str, ...] = ("a",),
) -> torch.Tensor:
    degradation = Degradation(scale, GaussianKernels(scale, anchor=anchor), anchor=anchor)
    prior.start(Sample(lr, scale, list(names)), degradation, [keyed_generator(0, name) for name in names])
    return prior.kernel()


def dead_leaves(side: int, seed: int = 0) -> torch.Tensor:
    """Discs of all sizes over each other: a picture that looks the same at every scale."""
    random = np.random.default_rng(seed)
    image, covered = np.zeros((3, side, side), np.float32), np.zeros((side, side), bool)
    y, x = np.mgrid[:side, :side]
    while not covered.all():
        radius = 3 / np.sqrt(1 - random.random() * (1 - (3 / 120) ** 2))
        row, column = random.random(2) * side
        disc = ((y - row) ** 2 + (x - column) ** 2 < radius**2) & ~covered
        image[:, disc] = random.random((3, 1))
        covered |= disc
    return torch.from_numpy(image)[None]


@pytest.mark.slow
@pytest.mark.parametrize("theta", [0.0, 0.785])
def test_the_blur_of_a_picture_without_scale_is_found(theta: float) -> None:
    kernel = gaussian_kernels(torch.tensor([[4.0, 0.8]]), torch.tensor([theta]), scale=2)
    lr = Degradation(2, GaussianKernels(2))(dead_leaves(384), kernel)
    found = estimate(KernelGAN(iterations=1500, lr_every=375), lr)
    assert kernel_psnr(found, kernel).item() > zero_kernel_floor(kernel).item() + 6
    across = kernel.flip(-1) if theta else kernel.mT
    assert kernel_psnr(found, kernel).item() > kernel_psnr(found, across).item() + 2


@pytest.mark.parametrize("name", ["kernelgan", "kernelgan_fkp"])
@pytest.mark.parametrize(("scale", "size"), [(2, 11), (4, 19)])
@pytest.mark.parametrize("anchor", ["fkp", "block_center"])
def test_kernels_fit_the_window_and_the_anchor(name: str, scale: int, size: int, anchor: Anchor) -> None:
    kernel = estimate(few(name), picture(3, 84, 90), scale, anchor)
    assert kernel.shape == (1, 1, size, size)
    assert not kernel.requires_grad
    moved = name == "kernelgan" or scale == 4  # an x2 kernel of the flow stays as it is
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5 if moved else 0.3)
    centre = centre_of_mass(kernel).flatten().tolist()
    assert centre == pytest.approx([anchor_centre(size, scale, anchor)] * 2, abs=0.05 if moved else 0.5)


@pytest.mark.parametrize("name", ["kernelgan", "kernelgan_fkp"])
def test_images_are_estimated_alone_and_again_alike(name: str) -> None:
    lr = torch.cat([picture(3, 84, 84, seed=seed) for seed in (0, 1)])
    prior = few(name)
    torch.rand(1)  # the global state does not count
    both = estimate(prior, lr, names=("a", "b"))
    assert prior.steppable() == []
    torch.testing.assert_close(estimate(prior, lr[1:], names=("b",)), both[1:])
    assert not torch.equal(both[0], both[1])


@pytest.mark.parametrize("name", ["kernelgan", "kernelgan_fkp"])
@pytest.mark.parametrize("channels", [1, 5])
def test_any_number_of_channels(name: str, channels: int) -> None:
    kernel = estimate(few(name), picture(channels, 84, 84))
    assert torch.isfinite(kernel).all()


@pytest.mark.parametrize("name", ["kernelgan", "kernelgan_fkp"])
def test_the_smallest_image_warns_and_smaller_ones_are_refused(name: str) -> None:
    with pytest.warns(UserWarning, match="'a' has 40x32 LR pixels: crops of 32 px"):
        kernel = estimate(few(name), picture(3, 32, 40), scale=4)
    assert torch.isfinite(kernel).all()
    with pytest.raises(UserError, match="at least 32 pixels a side"):
        estimate(few(name), picture(3, 31, 40))


@pytest.mark.parametrize("name", ["kernelgan", "kernelgan_fkp"])
def test_x3_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"no kernel for x3.*scale=2 or scale=4"):
        estimate(few(name), picture(3, 84, 84), scale=3)


def test_a_flow_of_another_scale_is_refused() -> None:
    with pytest.raises(UserError, match=r"19x19 kernels.*choose fkp_x2"):
        KernelGANFKP("fkp_x4")


def test_training_that_diverges_is_told() -> None:
    with pytest.raises(UserError, match="training on 'a' diverged"):
        estimate(KernelGAN(iterations=2), torch.full((1, 3, 84, 84), torch.inf))


def test_one_gradient_of_the_code_serves_three_steps() -> None:
    """The published loop, backward at every step, takes the same course."""
    lr, names = picture(3, 84, 84), ("a",)
    ours = KernelGANFKP(iterations=2, batch=4)
    found = estimate(ours, lr, names=names)

    generator = keyed_generator(0, "a")
    wide, small = crops_of_both_sizes(lr, 64, 27, 10)
    code = nn.Parameter(torch.randn(1, 121, generator=generator))
    critic = Critic(3, generator)
    code_adam = torch.optim.Adam([code], lr=5e-4, betas=(0.5, 0.999))
    critic_adam = torch.optim.Adam(critic.parameters(), lr=5e-4, betas=(0.5, 0.999))
    for _ in range(2):
        crops, real = wide.draw(4, generator), small.draw(4, generator)
        fake = halve(crops, ours.flow.decode(code))
        for _ in range(3):
            mix = torch.rand((), generator=generator)
            critic_adam.zero_grad()
            (-critic(real).mean()).backward()
            critic(fake.detach()).mean().backward()
            between = (mix * real + (1 - mix) * fake.detach()).requires_grad_()
            (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
            (0.1 * ((slope.square().sum(1).sqrt() - 1) ** 2).mean()).backward()
            critic_adam.step()
        for _ in range(3):
            code_adam.zero_grad()
            (-critic(fake).mean()).backward(retain_graph=True)
            code_adam.step()
            code.data *= 10 / code.data.norm()
    torch.testing.assert_close(found, ours.flow.decode(code).detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), [("kernelgan", []), ("kernelgan_fkp", ["prior.batch=2"])])
def test_a_run_records_the_kernel(tmp_path: Path, name: str, options: list[str]) -> None:
    overrides = [
        f"experiment={name}", "dataset=skimage", "dataset.images.names=[astronaut]", "trainer=cpu", "tracking=none",
        "dataset.images.crop=[40,160,180,180]", "prior.iterations=3", f"out={tmp_path}", *options,
    ]  # fmt: skip
    record, directory = run(to_plain(compose(overrides)))
    assert record is not None
    assert record.labels["prior"] == name
    assert np.load(directory / str(record.images["astronaut"].kernel)).shape == (11, 11)
    assert np.isfinite(json.loads((directory / "result.json").read_text())["metrics"]["kernel_psnr"]["mean"])
