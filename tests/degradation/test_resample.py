import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reference.imresize import imresize as reference

from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.resample import bicubic_upsample_aligned, imresize
from sr_lab.errors import UserError

DATA = Path(os.environ.get("SR_LAB_DATA", Path(__file__).parents[3] / "shared" / "data"))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(
    height=st.integers(1, 14),
    width=st.integers(1, 14),
    scale=st.sampled_from([0.25, 1 / 3, 0.5, 0.7, 1.0, 1.6, 2.0, 3.0]),
    antialias=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_factors_match_the_pixel_by_pixel_reference(height: int, width: int, scale: float, antialias: bool):
    image = noise(1, 1, height, width)
    ours = imresize(image, scale, antialias)
    theirs = reference(
        image[0, 0].numpy(),
        (int(np.ceil(scale * height)), int(np.ceil(scale * width))),
        (scale, scale),
        antialias,
    )
    np.testing.assert_allclose(ours[0, 0].numpy(), theirs, atol=1e-12)


@given(sides=st.tuples(*[st.integers(1, 12)] * 4))
@settings(max_examples=30, deadline=None)
def test_sizes_match_the_pixel_by_pixel_reference(sides: tuple[int, int, int, int]):
    height, width, out_height, out_width = sides
    image = noise(1, 1, height, width)
    ours = imresize(image, (out_height, out_width))
    factors = (out_height / height, out_width / width)
    theirs = reference(image[0, 0].numpy(), (out_height, out_width), factors, True)
    np.testing.assert_allclose(ours[0, 0].numpy(), theirs, atol=1e-12)


@pytest.mark.parametrize("out", [(10, 12), (16, 80), (80, 96), (120, 31)])
def test_agrees_with_pillow_away_from_the_edges(out: tuple[int, int]):
    image = noise(1, 1, 40, 48).float()
    ours = imresize(image, out)[0, 0].numpy()
    theirs = np.asarray(
        Image.fromarray(image[0, 0].numpy()).resize((out[1], out[0]), Image.Resampling.BICUBIC)
    )
    # Pillow drops taps beyond the edge: leave out what a kernel of 2 (stretched) pixels each way can reach
    rows, columns = (int(np.ceil(2 * max(o / i, 1))) + 1 for o, i in zip(out, (40, 48), strict=True))
    inside = np.s_[rows:-rows, columns:-columns]
    assert ours[inside].size > 0
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=2e-6)


def test_batch_and_channels_are_resized_each_on_its_own():
    image = noise(2, 3, 9, 12)
    one_by_one = torch.stack([torch.stack([imresize(c[None, None], 0.5)[0, 0] for c in b]) for b in image])
    torch.testing.assert_close(imresize(image, 0.5), one_by_one)


@pytest.mark.parametrize("scale", [0.25, 0.4, 1.0, 2.5, 4.0])
def test_a_constant_stays_and_a_ramp_keeps_its_place(scale: float):
    torch.testing.assert_close(
        imresize(torch.ones(1, 1, 20, 20), scale), torch.ones(1, 1, *[int(np.ceil(20 * scale))] * 2)
    )
    ramp = torch.arange(40, dtype=torch.float64).expand(1, 1, 40, 40)
    out = imresize(ramp, scale)
    place = (torch.arange(out.shape[-1], dtype=torch.float64) + 0.5) / scale - 0.5
    middle = (place > 10) & (place < 30)
    torch.testing.assert_close(out[0, 0, 0, middle], place[middle], rtol=0, atol=0.01)


def test_same_size_is_the_identity():
    image = noise(1, 2, 7, 8)
    torch.testing.assert_close(imresize(image, 1.0), image)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_gradient(scale: float):
    image = noise(1, 1, 5, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: imresize(x, scale), (image,))


def test_inference_mode_does_not_spoil_the_cache():
    with torch.inference_mode():
        imresize(noise(1, 1, 13, 13), 0.5)
    image = noise(1, 1, 13, 13).requires_grad_()
    imresize(image, 0.5).sum().backward()
    assert image.grad is not None


@pytest.mark.parametrize("bad", [0.0, -2.0, (0, 4)])
def test_nothing_to_resize_to(bad: float | tuple[int, int]):
    with pytest.raises(UserError, match="imresize"):
        imresize(torch.zeros(1, 1, 4, 4), bad)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("anchor", "sign"), [("fkp", -1), ("block_center", 1)])
@pytest.mark.parametrize("phase", [0, 1])
def test_upsampling_puts_pixels_at_their_anchor(scale: int, anchor: Anchor, sign: int, phase: int):
    hr = torch.arange(16 * scale, dtype=torch.float64).expand(1, 1, 16 * scale, -1)
    # LR pixel i holds the HR coordinate at which it lies, so upsampling must give back the coordinate
    lr = (scale * torch.arange(16, dtype=torch.float64) + sign * (scale - 1) / 2 + phase).expand(1, 1, 16, -1)
    for lr_image, hr_image in ((lr, hr), (lr.mT, hr.mT)):
        up = bicubic_upsample_aligned(lr_image, scale, anchor, phase)
        assert up.shape == hr.shape
        inside = slice(4 * scale, -4 * scale)
        torch.testing.assert_close(up[..., inside, inside], hr_image[..., inside, inside], rtol=0, atol=1e-9)


def test_moved_upsampling_repeats_the_last_pixels():
    up = bicubic_upsample_aligned(noise(1, 1, 6, 6), 4, "fkp")
    assert (up[..., -3:] == up[..., -4:-3]).all()
    assert (up[..., -3:, :] == up[..., -4:-3, :]).all()


@pytest.mark.parametrize(("anchor", "published"), [("block_center", 21.62), ("fkp", 24.50)])
def test_y_psnr_of_bicubic_on_the_published_pair(anchor: Anchor, published: float):
    folder = DATA / "natural" / "fkp_test"
    if not folder.is_dir():
        pytest.skip(f"no {folder}: set SR_LAB_DATA")
    hr, lr = (
        np.asarray(Image.open(folder / name).convert("RGB"), np.float32) / 255
        for name in ("102061_hr.png", "102061_lr_x4.png")
    )
    up = bicubic_upsample_aligned(torch.from_numpy(lr).permute(2, 0, 1)[None], 4, anchor)[0]
    sr = (up.clamp(0, 1) * 255).round().permute(1, 2, 0).double().numpy() / 255
    luma = np.array([65.481, 128.553, 24.966])
    error = ((sr - hr[: sr.shape[0], : sr.shape[1]]) @ luma)[4:-4, 4:-4]
    assert 10 * np.log10(255**2 / (error**2).mean()) == pytest.approx(published, abs=0.1)
