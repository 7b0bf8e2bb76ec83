import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sr_lab.degradation.anchor import Anchor, anchor_centre, default_kernel_size
from sr_lab.degradation.chain import Corruption, Degradation, keyed_generator, modcrop
from sr_lab.degradation.corruptions import GaussianNoise, Jpeg, Quantise
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photo(n: int = 1, side: int = 48, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, side, side, generator=seeded(seed))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("recentre", [True, False])
def test_a_ramp_shows_where_lr_pixels_sit(scale: int, recentre: bool):
    ramp = torch.arange(200 * scale, dtype=torch.float32).expand(1, 1, 60, -1)
    found: dict[Anchor, float] = {}
    for anchor in ("fkp", "block_center"):
        kernels = GaussianKernels(
            scale, variance=(0.175 * scale, 3.0), isotropic=True, anchor=anchor, recentre=recentre
        )
        lr = Degradation(scale, kernels, anchor=anchor).degrade(ramp, seeded()).lr
        found[anchor] = lr[0, 0, 5, 100 // scale].item()
    hr = 100 // scale * scale
    assert found["fkp"] == pytest.approx(hr - (scale - 1) / 2, abs=0.01)  # x4: column 100 -> 98.5
    assert found["block_center"] == pytest.approx(hr + (scale - 1) / 2, abs=0.01)


def test_the_windows_of_the_published_sets():
    assert [default_kernel_size(scale) for scale in (2, 3, 4, 8)] == [11, 15, 19, 21]
    assert [anchor_centre(size, scale, "fkp") for size, scale in ((11, 2), (15, 3), (19, 4))] == [4.5, 6, 7.5]


@given(height=st.integers(0, 20), width=st.integers(0, 20), multiple=st.integers(1, 8))
def test_modcrop_keeps_the_largest_multiple_from_the_top_left(height: int, width: int, multiple: int):
    image = torch.arange(2.0 * height * width).view(2, height, width)
    cut = modcrop(image, multiple)
    for side, kept in zip((height, width), cut.shape[-2:], strict=True):
        assert kept % multiple == 0
        assert 0 <= side - kept < multiple
    assert torch.equal(cut, image[:, : cut.shape[-2], : cut.shape[-1]])


def test_keyed_generators_depend_on_their_key_alone():
    def draw(seed: int, image_id: str, purpose: str = "degradation") -> float:
        return torch.rand((), generator=keyed_generator(seed, image_id, purpose)).item()

    assert draw(1, "baby") == draw(1, "baby")
    draws = [draw(1, "baby"), draw(2, "baby"), draw(1, "bird"), draw(1, "baby", "method"), draw(11, "baby")]
    assert len(set(draws)) == len(draws)
    # every data set of kernels and noise hangs on this value
    assert torch.randint(10**9, (), generator=keyed_generator(1, "baby")).item() == 383742530


def test_degrade_is_draw_blur_decimate_corrupt():
    chain = Degradation(4, GaussianKernels(4), [GaussianNoise(0.01, 0.1), Quantise("round")])
    hr = photo(3)
    out = chain.degrade(hr, seeded(7))
    generator = seeded(7)
    kernel = GaussianKernels(4).sample(3, generator)
    noisy, sd = GaussianNoise(0.01, 0.1)(chain(hr, kernel), generator)
    assert sd is not None
    assert out.kernel is not None
    assert torch.equal(out.kernel, kernel)
    assert torch.equal(out.noise_level, sd)
    assert torch.equal(out.lr, Quantise("round")(noisy, generator)[0])
    assert torch.equal(out.lr, chain.degrade(hr, seeded(7)).lr)
    assert not torch.equal(out.lr, chain.degrade(hr, seeded(8)).lr)


def test_noise_levels_add_in_power():
    chain = Degradation(2, GaussianKernels(2), [GaussianNoise(0.03, 0.03), GaussianNoise(0.04, 0.04)])
    flat = torch.full((2, 3, 128, 128), 0.5)
    out = chain.degrade(flat, seeded())
    torch.testing.assert_close(out.noise_level, torch.full((2,), 0.05))
    torch.testing.assert_close(out.lr.std((1, 2, 3)), torch.full((2,), 0.05), atol=0, rtol=0.03)


def test_noise_draws_one_level_an_image_and_spares_a_share():
    _, sd = GaussianNoise(0.1, 0.2, none=0.4)(torch.zeros(2000, 1, 1, 1), seeded())
    assert sd is not None
    spared = sd == 0
    assert spared.float().mean().item() == pytest.approx(0.4, abs=0.04)
    assert sd[~spared].mean().item() == pytest.approx(0.15, abs=0.003)
    assert sd[~spared].min() >= 0.1
    assert sd[~spared].max() <= 0.2
    assert sd[~spared].unique().numel() > 1000


@pytest.mark.parametrize("corruption", [GaussianNoise(), Quantise("none")])
def test_links_that_do_nothing(corruption: Corruption):
    image = photo(2) * 1.5 - 0.2
    assert torch.equal(corruption(image, seeded())[0], image)


def test_jpeg_is_a_link_with_one_quality_an_image():
    image = imresize(photo(3, 8), 6).clamp(0, 1)  # smooth, as JPEG likes it
    weak, level = Jpeg(95.0, 95.0)(image, seeded())
    strong, _ = Jpeg(5.0, 5.0)(image, seeded())
    assert level is None
    assert (weak - image).abs().mean() < 0.02 < (strong - image).abs().mean()
    mixed = Jpeg(5.0, 95.0)(image, seeded())[0]
    qualities = 5 + 90 * torch.rand(3, generator=seeded())
    for index, quality in enumerate(qualities.tolist()):
        alone, _ = Jpeg(quality, quality)(image[index : index + 1], seeded())
        torch.testing.assert_close(mixed[index : index + 1], alone, atol=1e-4, rtol=0)


def test_bicubic_is_matlabs_and_has_no_kernel():
    chain = Degradation(4, None, anchor="block_center")
    hr = photo(2)
    out = chain.degrade(hr, seeded())
    assert out.kernel is None
    assert torch.equal(out.lr, imresize(hr, 1 / 4))
    assert torch.equal(out.noise_level, torch.zeros(2))


def test_bicubic_at_another_place_than_the_block_centre_is_refused():
    with pytest.raises(UserError, match="block"):
        Degradation(4, None)
    with pytest.raises(UserError, match="phase"):
        Degradation(4, None, anchor="block_center", phase=1)


def test_kernels_of_another_convention_are_refused():
    with pytest.raises(UserError, match="anchor"):
        Degradation(4, GaussianKernels(4), anchor="block_center")
    with pytest.raises(UserError, match="x2"):
        Degradation(4, GaussianKernels(2))


@pytest.mark.parametrize("phase", [-1, 4])
def test_phases_outside_the_block_are_refused(phase: int):
    with pytest.raises(UserError, match="phase"):
        Degradation(4, GaussianKernels(4), phase=phase)


@pytest.mark.parametrize(("low", "high"), [(-0.1, 0.1), (0.2, 0.1)])
def test_impossible_noise_is_refused(low: float, high: float):
    with pytest.raises(UserError, match="noise"):
        GaussianNoise(low, high)
