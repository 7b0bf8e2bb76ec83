"""Networks, regularisers and kernel shaping against plain NumPy."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import kernelgan as reference
from torch import nn

from sr_lab.degradation.anchor import Anchor, anchor_centre
from sr_lab.degradation.gaussian import centre_of_mass, gaussian_kernels
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.priors.kernelgan.critic import Critic, gradient_penalty
from sr_lab.priors.kernelgan.crops import Crops, crops_of_both_sizes, room, strong_edges
from sr_lab.priors.kernelgan.discriminator import PatchDiscriminator, SpectralConv
from sr_lab.priors.kernelgan.generator import DeepLinear, halve, halved_side
from sr_lab.priors.kernelgan.regularisers import (
    Regularisers,
    Schedule,
    at_boundary,
    bicubic_halving,
    off_centre,
    off_sum,
    spread,
)
from sr_lab.priors.kernelgan.shaping import analytic_x4, recentred, thinned, windowed


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_kernel(side: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 1, side, side, generator=seeded(seed), dtype=torch.float64) - 0.2


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_networks_have_the_published_sizes() -> None:
    assert parameters(DeepLinear(seeded())) == 150_656
    assert parameters(Critic(3, seeded())) == 29_185
    assert (halved_side(64, 13), halved_side(64, 11)) == (26, 27)
    assert PatchDiscriminator(3, seeded())(torch.rand(1, 3, 26, 26)).shape == (1, 1, 20, 20)
    assert Critic(3, seeded())(torch.rand(2, 3, 27, 27)).shape == (2, 1, 17, 17)


@pytest.mark.parametrize("kind", [DeepLinear, lambda g: PatchDiscriminator(3, g), lambda g: Critic(3, g)])
def test_start_depends_on_the_generator_alone(kind: Callable[[torch.Generator], nn.Module]) -> None:
    states = [kind(seeded(seed)).state_dict() for seed in (0, 0, 1)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert any(not torch.equal(states[0][key], states[2][key]) for key in states[0])


def test_the_generators_kernel_is_the_full_convolution_of_its_layers() -> None:
    network = DeepLinear(seeded()).double()
    expected = reference.implied_kernel([layer.detach().numpy() for layer in network.layers])
    kernel = network.kernel()
    assert kernel.shape == (1, 1, 13, 13)
    np.testing.assert_allclose(kernel[0, 0].detach().numpy(), expected, rtol=1e-9, atol=1e-18)


def test_one_kernel_does_and_learns_what_the_layers_do() -> None:
    network, image = DeepLinear(seeded()).double(), torch.rand(1, 3, 22, 24, generator=seeded(1)).double()
    target = torch.rand(1, 3, 5, 6, generator=seeded(2)).double()
    layered = image.transpose(0, 1)
    for index, layer in enumerate(network.layers):
        layered = F.conv2d(layered, layer, stride=2 if index == len(network.layers) - 1 else 1)
    layered, at_once = layered.transpose(0, 1), halve(image, network.kernel())
    torch.testing.assert_close(at_once, layered, rtol=1e-9, atol=1e-15)
    expected, found = (
        torch.autograd.grad(F.mse_loss(out, target), list(network.parameters())) for out in (layered, at_once)
    )
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-15)


def test_halving_correlates_every_channel_of_every_image() -> None:
    image, kernel = torch.rand(2, 2, 20, 17, dtype=torch.float64), random_kernel(5)
    halved = halve(image, kernel)
    assert halved.shape == (2, 2, 8, 7)
    for b in range(2):
        for c in range(2):
            expected = reference.correlate_every_second(image[b, c].numpy(), kernel[0, 0].numpy())
            np.testing.assert_allclose(halved[b, c].numpy(), expected)


def test_spectral_convolution_divides_by_the_norm_that_power_iteration_finds() -> None:
    conv, image = SpectralConv(3, 8, 3, seeded()), torch.rand(1, 3, 9, 9, generator=seeded(1))
    matrix, left = conv.weight.detach().flatten(1).numpy(), conv.left.numpy()
    for _ in range(2):
        right = matrix.T @ left
        right /= np.linalg.norm(right)
        left = matrix @ right / np.linalg.norm(matrix @ right)
        expected = F.conv2d(image, conv.weight / float(left @ matrix @ right))
        torch.testing.assert_close(conv(image), expected)
    for _ in range(500):
        conv(image)
    norm = F.conv2d(image, conv.weight).norm() / conv(image).norm()
    assert norm.item() == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-4)


def test_gradient_penalty_takes_the_norm_over_channels() -> None:
    class Square(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return (self.weight * image**2).sum(1, keepdim=True)

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)[:, None, None])

    critic = Square()
    real, fake = torch.rand(2, 4, 3, 5, 5, generator=seeded(), dtype=torch.float64)
    found = gradient_penalty(critic, real, fake, 0.3)
    between, weight = (0.3 * real + 0.7 * fake).numpy(), critic.weight.detach().numpy()
    lengths = np.sqrt(((2 * weight * between) ** 2).sum(1))
    assert found.item() == pytest.approx(((lengths - 1) ** 2).mean())
    (slope,) = torch.autograd.grad(found, critic.weight)
    by_weight = 2 * (lengths - 1)[:, None] * (4 * weight * between**2) / lengths[:, None]
    np.testing.assert_allclose(slope.numpy()[:, 0, 0], by_weight.mean((0, 2, 3)))


@pytest.mark.parametrize("seed", range(3))
def test_regularisers_are_their_formulas(seed: int) -> None:
    kernel = random_kernel(13, seed)
    plain = kernel[0, 0].numpy()
    assert off_sum(kernel).item() == pytest.approx(abs(1 - plain.sum()))
    assert off_centre(kernel).item() == pytest.approx(reference.off_centre(plain, 6.5))
    assert at_boundary(kernel).item() == pytest.approx(reference.at_boundary(plain))
    assert spread(kernel).item() == pytest.approx((np.abs(plain) ** 0.2).mean())


def test_bicubic_leads_on_the_generators_own_grid() -> None:
    image = torch.rand(1, 2, 40, 40, generator=seeded())
    torch.testing.assert_close(
        halve(image, bicubic_halving(13)), imresize(image, 0.5)[..., 3:-3, 3:-3], rtol=0, atol=1e-6
    )
    assert off_centre(bicubic_halving(13)).item() == pytest.approx(0, abs=1e-8)


def test_bicubic_is_let_go_by_steps() -> None:
    schedule = Schedule(Regularisers())
    near, far = torch.tensor(0.39), torch.tensor(0.41)
    kernel, seen = random_kernel(13), []
    for iteration in range(1, 1201):
        schedule.update(iteration, far if iteration in (2, 600) else near)
        if iteration % 200 == 0:
            seen.append(schedule.bicubic)
    assert seen == pytest.approx([5e-2, 5e-4, 5e-6, 5e-6, 5e-6, 5e-6])
    full = schedule.penalty(kernel, near)
    expected = 5e-6 * 0.39 + 0.5 * off_sum(kernel) + 0.5 * at_boundary(kernel)
    assert full.item() == pytest.approx((expected + off_centre(kernel) + 5 * spread(kernel)).item())
    started = Schedule(Regularisers())
    for iteration in range(1, 401):
        started.update(iteration, near if iteration % 3 else far)
    assert started.bicubic == 5.0, "three times in a row"
    expected = 5 * 0.39 + 0.5 * off_sum(kernel) + 0.5 * at_boundary(kernel)
    assert started.penalty(kernel, near).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("side", [5, 11])
def test_x4_is_x2_twice(side: int) -> None:
    kernel = random_kernel(side).abs()
    found = analytic_x4(kernel)
    np.testing.assert_allclose(found[0, 0].numpy(), reference.analytic_x4(kernel[0, 0].numpy()))
    assert found.shape[-1] == {5: 9, 11: 21}[side]


@pytest.mark.parametrize("anchor", ["fkp", "block_center"])
def test_x4_of_an_anchored_kernel_is_anchored(anchor: Anchor) -> None:
    kernel = gaussian_kernels(
        torch.tensor([[0.9, 0.6]]), torch.tensor([0.4]), scale=2, anchor=anchor, recentre=False
    )
    centre = centre_of_mass(analytic_x4(kernel)).flatten().tolist()
    assert centre == pytest.approx([anchor_centre(21, 4, anchor)] * 2, abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_thinning_is_its_formula(seed: int) -> None:
    kernel = random_kernel(13, seed)
    np.testing.assert_allclose(thinned(kernel)[0, 0].numpy(), reference.thinned(kernel[0, 0].numpy()))


@given(
    variance=st.tuples(st.floats(0.4, 2), st.floats(0.4, 2)),
    theta=st.floats(0, 3),
    anchor=st.sampled_from(["fkp", "block_center"]),
    side=st.sampled_from([15, 21]),
)
@settings(max_examples=30, deadline=None)
def test_recentring_moves_the_centre_of_mass(
    variance: tuple[float, float], theta: float, anchor: Anchor, side: int
) -> None:
    kernel = gaussian_kernels(
        torch.tensor([variance]), torch.tensor([theta]), scale=4, size=side, recentre=False
    )
    moved = recentred(kernel, 19, anchor_centre(19, 2, anchor))
    assert moved.shape == (1, 1, 19, 19)
    assert moved.min() >= 0
    assert moved.sum().item() == pytest.approx(1, abs=1e-5)
    assert centre_of_mass(moved).flatten().tolist() == pytest.approx(
        [anchor_centre(19, 2, anchor)] * 2, abs=0.05
    )


def test_another_window_keeps_the_middle() -> None:
    kernel = random_kernel(11)
    assert torch.equal(windowed(kernel, 13)[..., 1:-1, 1:-1], kernel)
    assert torch.equal(windowed(kernel, 7), kernel[..., 2:-2, 2:-2])


def test_crops_are_drawn_where_the_edges_are() -> None:
    grey = torch.rand(1, 1, 48, 60, generator=seeded(), dtype=torch.float64)
    grey[..., :20, :30] *= 3
    edges = strong_edges(grey)
    np.testing.assert_allclose(edges[0, 0].numpy(), reference.strong_edges(grey[0, 0].numpy()))
    # a picture of its own coordinates tells where a crop comes from
    place = torch.stack(torch.meshgrid(torch.arange(48.0), torch.arange(60.0), indexing="ij"))[None]
    drawn = Crops(place, edges, 26).draw(4_000, seeded())
    assert drawn.shape == (4_000, 2, 26, 26)
    corners = drawn[:, :, 0, 0].long()
    torch.testing.assert_close(
        drawn, place[0][:, None, :26, :26].transpose(0, 1) + corners[:, :, None, None].float()
    )
    assert (corners % 2 == 0).all()
    counts = np.zeros((12, 18))
    np.add.at(counts, tuple((corners // 2).T.numpy()), 1)
    expected = reference.crop_chances(edges[0, 0].numpy(), 26)
    np.testing.assert_allclose(counts / 4_000, expected, atol=5 * np.sqrt(expected.max() / 4_000))
    assert counts[expected == 0].sum() == 0


def test_crops_are_copies_inside_the_border() -> None:
    image = torch.rand(1, 3, 71, 90, generator=seeded())
    image[..., :10, :] = image[..., -10:, :] = image[..., :10] = image[..., -10:] = -1
    before = image.clone()
    for crops, side in zip(crops_of_both_sizes(image, 50, 20, 10), (50, 20), strict=True):
        drawn = crops.draw(64, seeded())
        assert drawn.shape == (64, 3, side, side)
        assert drawn.min() >= 0
        drawn += 1
    assert torch.equal(image, before)


def test_a_flat_image_is_cropped_anywhere() -> None:
    wide, _ = crops_of_both_sizes(torch.full((1, 1, 60, 60), 0.3), 40, 20, 0)
    assert torch.equal(wide.draw(2, seeded()), torch.full((2, 1, 40, 40), 0.3))


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(84, 200, (64, 10)), (83, 84, (62, 10)), (53, 90, (32, 10)), (50, 51, (32, 9)), (32, 99, (32, 0))],
)
def test_small_images_get_smaller_crops_and_a_warning(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        side, border = room(height, width, 64, 10, "bird")
    assert (side, border) == expected
    assert min(height, width) - 2 * border >= side
    assert bool(caught) == (expected != (64, 10))
    if caught:
        assert f"crops of {side} px instead of 64, {border} px off the edge" in str(caught[0].message)


def test_too_small_an_image_is_refused_with_the_least_size() -> None:
    with pytest.raises(UserError, match=r"'bird' has 90x31 LR pixels.*at least 32 pixels a side"):
        room(31, 90, 64, 10, "bird")
    with pytest.raises(UserError, match=r"prior.crop: crops of 16 px"):
        room(90, 90, 16, 10, "bird")
