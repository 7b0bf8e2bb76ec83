import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.gaussian import gaussian_kernel
from scipy import ndimage

from sr_lab.degradation.anchor import Anchor, anchor_centre, default_kernel_size, to_anchor
from sr_lab.degradation.gaussian import GaussianKernels, centre_of_mass, gaussian_kernels, variance_range
from sr_lab.degradation.spline import spline_shift
from sr_lab.errors import UserError

ANCHORS: list[Anchor] = ["fkp", "block_center"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one(
    scale: int, l1: float, l2: float, theta: float, recentre: bool = True, anchor: Anchor = "fkp"
) -> torch.Tensor:
    variance, angle = (
        torch.tensor([[l1, l2]], dtype=torch.float64),
        torch.tensor([theta], dtype=torch.float64),
    )
    return gaussian_kernels(variance, angle, scale=scale, recentre=recentre, anchor=anchor)


fractions = st.floats(0, 1)


@given(scale=st.sampled_from([2, 3, 4, 8]), first=fractions, second=fractions, turn=fractions)
@settings(max_examples=60, deadline=None)
def test_kernels_are_those_of_the_published_generator(scale: int, first: float, second: float, turn: float):
    low, high = variance_range(scale)
    l1, l2, theta = low + (high - low) * first, low + (high - low) * second, math.pi * turn
    ours = one(scale, l1, l2, theta)[0, 0].numpy()
    theirs = gaussian_kernel((l1, l2), theta, scale, default_kernel_size(scale))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert ours.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pixel_noise_multiplies_before_the_centring(scale: int):
    sampler = GaussianKernels(scale, pixel_noise=0.4)
    kernel = sampler.sample(1, seeded(3))[0, 0].numpy()
    generator, size = seeded(3), sampler.kernel_size
    draws = torch.rand(1, 3, generator=generator, dtype=torch.float64)[0].tolist()
    gain = 1 + 0.4 * (2 * torch.rand(1, size, size, generator=generator, dtype=torch.float64)[0].numpy() - 1)
    low, high = variance_range(scale)
    variances = (low + (high - low) * draws[0], low + (high - low) * draws[1])
    expected = gaussian_kernel(variances, math.pi * draws[2], scale, size, gain)
    np.testing.assert_allclose(kernel, expected, atol=1e-6)


shifts = st.floats(-4, 4) | st.integers(-4, 4).map(float)


@given(side=st.integers(3, 14), down=shifts, right=shifts, seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_spline_shift_is_scipys(side: int, down: float, right: float, seed: int):
    image = np.random.default_rng(seed).random((2, side, side))
    move = torch.tensor([[down, right], [right, down]], dtype=torch.float64)
    ours = spline_shift(torch.from_numpy(image), move).numpy()
    np.testing.assert_allclose(ours[0], ndimage.shift(image[0], (down, right)), atol=1e-9)
    np.testing.assert_allclose(ours[1], ndimage.shift(image[1], (right, down)), atol=1e-9)


def test_spline_shift_has_gradients_even_if_first_used_in_inference_mode():
    with torch.inference_mode():
        spline_shift(torch.ones(1, 23, 23, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64))
    image = torch.rand(1, 23, 23, generator=seeded(), dtype=torch.float64)
    shift = torch.tensor([[0.3, -1.2]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda move: spline_shift(image, move).sum(), shift)


@pytest.mark.parametrize(("scale", "count"), [(2, 4624), (3, 10_000), (4, 17_424)])
def test_validation_set(scale: int, count: int):
    sampler = GaussianKernels(scale)
    grid = sampler.validation_set()
    size = sampler.kernel_size
    assert grid.shape == (count, 1, size, size)
    low, _ = variance_range(scale)
    nodes = round(math.sqrt(count / 16))
    top = low + 0.3 * (nodes - 1)  # 5.15, 7.725, 10.3: above the range that training draws from
    assert top == pytest.approx({2: 5.15, 3: 7.725, 4: 10.3}[scale])
    for index, l1, l2, theta in [
        (0, low, low, 0.0),
        (16 * nodes + 3, low + 0.3, low, 0.6),
        (count - 1, top, top, 3.0),
    ]:
        expected = gaussian_kernel((l1, l2), theta, scale, size)
        np.testing.assert_allclose(grid[index, 0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("anchor", ANCHORS)
def test_centre_of_mass_is_at_the_anchor(scale: int, anchor: Anchor):
    centre = {"fkp": {2: 4.5, 3: 6.0, 4: 7.5, 8: 6.5}, "block_center": {2: 5.5, 3: 8.0, 4: 10.5, 8: 13.5}}
    assert anchor_centre(default_kernel_size(scale), scale, anchor) == centre[anchor][scale]
    for recentre in (True, False):
        kernels = GaussianKernels(
            scale, variance=(0.175 * scale, min(1.2 * scale, 5.0)), anchor=anchor, recentre=recentre
        )
        centres = centre_of_mass(kernels.sample(200, seeded()))
        assert (centres - centre[anchor][scale]).abs().max() < 0.01


def test_block_center_is_the_half_turn():
    kernels = GaussianKernels(4).sample(5, seeded())
    turned = GaussianKernels(4, anchor="block_center").sample(5, seeded())
    assert torch.equal(turned, torch.rot90(kernels, 2, (-2, -1)))
    assert torch.equal(to_anchor(kernels, "block_center"), turned)
    assert torch.equal(to_anchor(kernels, "fkp"), kernels)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_wide_kernels_have_hard_zero_rows_at_the_bottom_and_right(scale: int):
    _, high = variance_range(scale)
    published = one(scale, high, high, 0.0)[0, 0]
    rows, columns = published.sum(1), published.sum(0)
    for profile in (rows, columns):
        assert (profile[-(scale - 1) :] == 0).all()
        assert (profile[: -(scale - 1)] > 0.001).all()
    clean = one(scale, high, high, 0.0, recentre=False)[0, 0]
    assert (clean > 0).all()
    if scale == 4:
        assert rows[-5:].tolist() == pytest.approx([0.0160, 0.0077, 0, 0, 0], abs=5e-5)


def test_the_centre_of_the_widest_kernels_is_off_by_the_published_residue():
    widest = one(2, 5.0, 5.0, 0.0)
    assert (centre_of_mass(widest) - 4.5).flatten().tolist() == pytest.approx([0.04, 0.04], abs=0.005)


def test_sharp_kernels_have_the_splines_tiny_negative_values():
    kernels = GaussianKernels(2).validation_set()
    assert kernels.min().item() == pytest.approx(-6e-5, rel=0.1)
    assert GaussianKernels(2, recentre=False).sample(5000, seeded()).min() >= 0


def test_theta_turns_the_long_axis_from_columns_towards_rows():
    along_columns = one(3, 7.5, 0.6, 0.0, recentre=False)[0, 0]
    assert along_columns.sum(0).max() < along_columns.sum(1).max()  # spread over columns, one row
    diagonal = one(3, 7.5, 0.6, math.pi / 4, recentre=False)[0, 0]
    assert diagonal.diagonal().sum() > 2 * diagonal.flip(1).diagonal().sum()


@pytest.mark.parametrize("scale", [2, 4])
def test_draws_fill_the_published_ranges(scale: int):
    low, high = variance_range(scale)
    assert (low, high) == ({2: 0.35, 4: 0.7}[scale], {2: 5.0, 4: 10.0}[scale])
    kernels = GaussianKernels(scale, size=61, recentre=False).sample(400, seeded())[:, 0].double()
    grid = torch.arange(61, dtype=torch.float64)
    centre = (61 - scale) / 2
    spread = ((grid - centre) ** 2)[None]
    moments = (kernels.sum(1) * spread).sum(1) + (kernels.sum(2) * spread).sum(
        1
    )  # l1 + l2, whatever the angle
    assert 2 * low <= moments.min() < 2 * low + 0.15 * (high - low)
    assert 2 * high - 0.15 * (high - low) < moments.max() <= 2 * high + 1e-6
    assert moments.mean().item() == pytest.approx(low + high, rel=0.06)
    crossed = (kernels * torch.outer(grid - centre, grid - centre)).sum((1, 2))
    assert crossed.min() < -0.2 * (high - low)  # angles on both sides
    assert crossed.max() > 0.2 * (high - low)


def test_isotropic_kernels_are_symmetric():
    kernels = GaussianKernels(3, isotropic=True).sample(20, seeded())
    torch.testing.assert_close(kernels, kernels.mT, atol=1e-7, rtol=0)
    anisotropic = GaussianKernels(3).sample(20, seeded())
    assert (anisotropic - anisotropic.mT).abs().amax((1, 2, 3)).median() > 1e-3


def test_the_generator_decides():
    sampler = GaussianKernels(4, pixel_noise=0.2)
    first = sampler.sample(7, seeded(5))
    assert torch.equal(first, sampler.sample(7, seeded(5)))
    assert not torch.equal(first, sampler.sample(7, seeded(6)))
    assert first.dtype == torch.float32
    assert first.shape == (7, 1, 19, 19)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"variance": (0.0, 1.0)}, "variance"),
        ({"variance": (3.0, 1.0)}, "variance"),
        ({"size": 20}, "size"),
        ({"size": 1}, "size"),
        ({"size": 3}, "size"),  # the anchor (k - s)/2 lies outside
    ],
)
def test_impossible_options_are_refused(options: dict, part: str):
    with pytest.raises(UserError, match=part):
        GaussianKernels(4, **options)


def test_options_may_come_from_yaml_lists():
    assert GaussianKernels(4, variance=[0.7, 2.0]).variances == (0.7, 2.0)
    assert GaussianKernels(4, variance=[0.7, 2.0]).sample(1, seeded()).shape == (1, 1, 19, 19)
