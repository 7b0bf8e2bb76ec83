"""Blur that varies over the image."""

import pytest
import torch
from reference.varying import blur_decimate_varying as plain

from sr_lab.degradation.blur import blur_decimate
from sr_lab.degradation.corruptions import Quantise
from sr_lab.degradation.gaussian_field import GaussianField, VaryingBlur, blur_decimate_varying
from sr_lab.errors import UserError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("height", "width", "stride", "phase"), [(26, 31, 2, 0), (24, 20, 3, 2), (12, 90, 4, 1)]
)
def test_every_pixel_has_its_own_kernel(height: int, width: int, stride: int, phase: int) -> None:
    images = torch.rand(2, 2, height, width, generator=seeded(), dtype=torch.float64)
    grids = torch.rand(2, 3, 3, 5, 5, generator=seeded(1), dtype=torch.float64)
    found = blur_decimate_varying(images, grids, stride, phase=phase)
    for image, grid, each in zip(images, grids, found, strict=True):
        for channel, blurred in zip(image, each, strict=True):
            expected = torch.from_numpy(plain(channel.numpy(), grid.numpy(), stride, phase))
            torch.testing.assert_close(blurred, expected)


def test_it_has_gradients() -> None:
    image = torch.rand(1, 1, 8, 9, generator=seeded(), dtype=torch.float64, requires_grad=True)
    grid = torch.rand(1, 2, 2, 3, 3, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, k: blur_decimate_varying(x, k, 2), (image, grid))


@pytest.mark.parametrize("scale", [2, 4])
def test_without_growth_it_is_a_constant_blur(scale: int) -> None:
    hr = torch.rand(2, 3, 48, 60, generator=seeded())
    made = VaryingBlur(scale, GaussianField(scale, growth=(1, 1))).degrade(hr, seeded(3))
    assert made.kernel is not None
    torch.testing.assert_close(
        made.lr, blur_decimate(hr, made.kernel, scale, boundary="reflect"), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("pattern", ["radial", "linear"])
def test_widths_grow_by_what_was_drawn_and_stay_in_range(pattern: str) -> None:
    sampler = GaussianField(4, recentre=False, size=41, pattern=pattern, growth=(3, 3))  # pyright: ignore[reportArgumentType]
    field = sampler.draw(20, seeded())
    assert field.variance.min() >= 0.7
    assert (field.variance.max() * 3) <= 10
    kernels = field.grid().double()
    at = torch.arange(41) - 18.5
    spread = (kernels * (at**2 + at[:, None] ** 2)).sum((-2, -1)).flatten(1)  # trace of the covariance
    ratio = spread.amax(1) / spread.amin(1)
    assert ratio.max() <= 3.01
    # the window cuts the tails of none, and the widest are exact
    torch.testing.assert_close(ratio.max().item(), 3.0, rtol=0.02, atol=0)
    if pattern == "radial":
        assert (spread.argmin(1) == 40).all()


def test_draws_depend_on_their_key_alone() -> None:
    hr = torch.rand(1, 3, 40, 40, generator=seeded())
    chain = VaryingBlur(2, GaussianField(2), [Quantise("round")])
    assert torch.equal(chain.degrade(hr, seeded(5)).lr, chain.degrade(hr, seeded(5)).lr)
    sampled, made = chain.fields.sample(1, seeded(5)), chain.degrade(hr, seeded(5)).kernel
    assert made is not None
    torch.testing.assert_close(sampled, made)
    assert sampled.sum().item() == pytest.approx(1, abs=1e-5)


def test_a_growth_beyond_the_range_of_variances_is_refused() -> None:
    with pytest.raises(UserError, match=r"ratio of the variances"):
        GaussianField(4, growth=(2, 50))
