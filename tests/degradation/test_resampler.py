"""Decimation as four programs do it: against the programs themselves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.resample import imresize
from sr_lab.degradation.resampler import decimate, decimate_files

LEVELS = torch.randint(0, 256, (2, 1, 24, 36), generator=torch.Generator().manual_seed(0))
GREY = LEVELS / 255


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_files_are_shrunk_as_pillow_shrinks_them(scale: int) -> None:
    found = decimate_files(GREY, scale, "pil_bicubic")
    for plane, one in zip(LEVELS.numpy().astype(np.uint8), found, strict=True):
        size = (36 // scale, 24 // scale)
        want = np.asarray(Image.fromarray(plane[0]).resize(size, Image.Resampling.BICUBIC))
        np.testing.assert_array_equal((255 * one[0]).round().numpy(), want)
    # of floats, what Pillow makes of them; the two differ by rounding alone
    plain = decimate(GREY, scale, "pil_bicubic")
    floats = Image.fromarray(GREY[0, 0].numpy()).resize((36 // scale, 24 // scale), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(plain[0, 0], np.asarray(floats), atol=2e-6)
    assert float((plain.clamp(0, 1) - found).abs().max()) <= 1.5 / 255


@pytest.mark.parametrize("scale", [2, 4])
def test_opencv_and_blocks(scale: int) -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    plane, size = GREY[0, 0].numpy(), (36 // scale, 24 // scale)
    cubic = cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(decimate(GREY, scale, "cv2_cubic")[0, 0], cubic, atol=2e-6)
    area = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(decimate(GREY, scale, "area")[0, 0], area, atol=2e-6)


def test_a_degradation_names_its_resampler() -> None:
    generator = torch.Generator().manual_seed(0)
    for name in (None, "matlab_bicubic", "cv2_cubic", "area"):
        chain = Degradation(2, None, anchor="block_center", resampler=name)
        torch.testing.assert_close(
            chain.degrade(GREY, generator).lr, decimate(GREY, 2, name or "matlab_bicubic")
        )
    plain = Degradation(2, None, anchor="block_center")
    torch.testing.assert_close(plain(GREY, None), imresize(GREY, 0.5))
    image = GREY.clone().requires_grad_()
    Degradation(2, None, anchor="block_center", resampler="pil_bicubic")(image, None).sum().backward()
    assert image.grad is not None


def test_the_lr_of_m3fd_is_pillows(data: Path) -> None:
    folder = data / "infrared" / "test" / "m3fd"
    for path in sorted((folder / "HR").glob("*.png"))[:4]:
        hr = np.asarray(Image.open(path))[..., 0]
        lr = np.asarray(Image.open(folder / "LR_x4" / f"{path.stem}x4.png"))[..., 0]
        found = decimate_files(torch.from_numpy(hr / np.float32(255))[None, None], 4, "pil_bicubic")
        np.testing.assert_array_equal((255 * found[0, 0]).round().numpy(), lr)
