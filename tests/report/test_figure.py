from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sr_lab.report.figure import side_by_side


def _kernel(size: int, dtype: type = np.float32) -> np.ndarray:
    kernel = np.zeros((size, size), dtype)
    kernel[size // 2, size // 2] = 1
    return kernel


def _flat(height: int, width: int, *colour: float) -> np.ndarray:
    return np.full((height, width, len(colour)), colour, np.float32)


def _colours(path: Path) -> set[tuple[int, ...]]:
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    found, counts = np.unique(pixels, axis=0, return_counts=True)
    return {tuple(colour.tolist()) for colour, count in zip(found, counts, strict=True) if count > 5000}


def test_every_picture_is_there_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "new" / "figure.png"
    side_by_side(
        path,
        lr=_flat(16, 24, 1, 0, 0),
        bicubic=_flat(64, 96, 0, 1, 0),
        sr=_flat(64, 96, 0, 0, 1),
        hr=_flat(64, 96, 1, 1, 0),
        kernel=_kernel(11),
        true_kernel=_kernel(21, np.float64),
        captions={"bicubic": "24.50 dB", "sr": "26.11 dB", "kernel": "51.2 dB"},
    )
    red_green_blue_yellow = {(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)}
    magma_black, paper = (0, 0, 3), (255, 255, 255)
    assert _colours(path) == red_green_blue_yellow | {magma_black, paper}


def test_an_image_with_two_factors_is_shown_whole(tmp_path: Path) -> None:
    path, lr = tmp_path / "figure.png", _flat(20, 60, 1, 0, 0)
    lr[:, 30:] = (0, 1, 0)
    picture = _flat(80, 120, 0, 0, 1)
    side_by_side(path, lr=lr, bicubic=picture, sr=picture)
    pixels = np.asarray(Image.open(path).convert("RGB"))[16:256, 16:376]
    assert pixels.shape == (240, 360, 3)
    assert (pixels[-5, [10, 170]] == (255, 0, 0)).all()
    assert (pixels[-5, [190, 350]] == (0, 255, 0)).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 2000), (2000, 96), (360, 360), (30, 8)])
def test_sizes_stay_sane(tmp_path: Path, height: int, width: int, channels: int) -> None:
    lr = np.random.default_rng(0).random((height // 2, width // 2, channels), dtype=np.float32)
    picture = lr.repeat(2, axis=0).repeat(2, axis=1)
    side_by_side(tmp_path / "figure.png", lr=lr, bicubic=picture, sr=picture)
    with Image.open(tmp_path / "figure.png") as figure:
        assert 200 <= figure.width <= 1300
        assert 200 <= figure.height <= 900


def test_captions_add_lines_below_their_panel(tmp_path: Path) -> None:
    picture = _flat(64, 64, 0.5)
    heights = []
    for caption in ("", "30 dB " * 20):
        path = tmp_path / "figure.png"
        side_by_side(path, lr=_flat(32, 32, 0.5), bicubic=picture, sr=picture, captions={"sr": caption})
        with Image.open(path) as figure:
            heights.append(figure.height)
    assert heights[1] > heights[0]


def test_markup_in_a_caption_is_text(tmp_path: Path) -> None:
    picture = _flat(8, 8, 0.5)
    side_by_side(tmp_path / "f.png", lr=picture, bicubic=picture, sr=picture, captions={"sr": r"$\frac{1}"})
    assert (tmp_path / "f.png").is_file()


def test_a_zero_or_broken_kernel_is_shown(tmp_path: Path) -> None:
    picture = _flat(8, 8, 0.5)
    broken = np.full((3, 3), np.nan, np.float32)
    side_by_side(
        tmp_path / "f.png", lr=picture, bicubic=picture, sr=picture, kernel=_kernel(5) * 0, true_kernel=broken
    )
    assert (tmp_path / "f.png").is_file()


def test_nothing_is_left_behind_when_an_image_cannot_be_shown(tmp_path: Path) -> None:
    bands = np.zeros((8, 8, 31), np.float32)
    with pytest.raises(ValueError, match="31"):
        side_by_side(tmp_path / "f.png", lr=bands, bicubic=bands, sr=bands)
    assert not list(tmp_path.iterdir())
