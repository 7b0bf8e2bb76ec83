"""Thermal frames: what is read, what is refused, and that levels and units survive."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sr_lab.errors import UserError
from sr_lab.io.images import read_image
from sr_lab.scenes.infrared.normalise import Affine
from sr_lab.scenes.infrared.own_files import ThermalFiles
from sr_lab.scenes.infrared.thermal import read_thermal
from sr_lab.scenes.infrared.view import Stretch


def scene(height: int = 24, width: int = 32, low: int = 29500, high: int = 31000) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    values = low + (high - low) * (0.5 + 0.5 * np.sin(rows / 5) * np.cos(columns / 7))
    return np.rint(values).astype(np.uint16)


def written(path: Path, levels: np.ndarray) -> Path:
    tifffile.imwrite(path, levels) if path.suffix == ".tiff" else Image.fromarray(levels).save(path)
    return path


def test_kinds_are_told_by_depth_and_name(tmp_path: Path) -> None:
    grey = read_thermal(written(tmp_path / "a.png", (scene() // 256).astype(np.uint8)))
    counts = read_thermal(written(tmp_path / "b.tiff", scene()))
    kelvin = read_thermal(written(tmp_path / "c_cK.tiff", scene()))
    assert [frame.kind for frame in (grey, counts, kelvin)] == ["grey", "counts", "centikelvin"]
    assert (kelvin.unit, kelvin.per_unit) == ("K", 100.0)
    np.testing.assert_array_equal(counts.levels, scene())


def test_three_equal_channels_are_one_and_come_back_as_three(tmp_path: Path) -> None:
    levels = (scene() // 200).astype(np.uint8)
    path = written(tmp_path / "a.png", np.repeat(levels[..., None], 3, 2))
    opened = ThermalFiles().open(path)
    assert opened.frame.channels == 3
    np.testing.assert_array_equal(opened.frame.levels, levels)
    opened.write(tmp_path / "out.png", iter([opened.image()]), 1, lambda image: iter([image]))
    result = np.asarray(Image.open(tmp_path / "out.png"))
    np.testing.assert_array_equal(result, np.repeat(levels[..., None], 3, 2))


def test_false_colour_is_refused_with_the_reason(tmp_path: Path) -> None:
    coloured = np.stack([scene() // 256, 255 - scene() // 256, scene() // 512], 2).astype(np.uint8)
    with pytest.raises(UserError, match=r"false colour.*palette does not tell temperatures.*grey"):
        read_thermal(written(tmp_path / "a.png", coloured))
    palette = Image.fromarray((scene() // 256).astype(np.uint8)).convert("P")
    palette.putpalette([value for level in range(256) for value in (level, 0, 255 - level)])
    palette.save(tmp_path / "b.png")
    with pytest.raises(UserError, match="false colour"):
        read_thermal(tmp_path / "b.png")
    with_alpha = np.dstack([np.repeat((scene() // 256)[..., None], 3, 2), np.zeros((24, 32, 1))]).astype(
        np.uint8
    )
    with pytest.raises(UserError, match="transparent"):
        read_thermal(written(tmp_path / "c.png", with_alpha))


@settings(max_examples=30, deadline=None)
@given(low=st.integers(0, 65000), span=st.integers(0, 535), seed=st.integers(0, 50))
def test_levels_survive_the_normalisation(low: int, span: int, seed: int) -> None:
    """float32 in the middle holds every level, however narrow the scene's own range, outliers included."""
    levels = np.random.default_rng(seed).integers(low, low + span + 1, (20, 30)).astype(np.float64)
    levels[0, 0], levels[0, 1] = 0, 65535
    affine = Affine(float(max(span, 1)), float(low))
    np.testing.assert_array_equal(np.rint(affine.inverse(affine.forward(levels))), levels)


def test_16_bit_frames_are_normalised_by_their_own_range(tmp_path: Path) -> None:
    levels = scene()
    levels[3, 3] = 65535  # a hot pixel does not set the range
    frame = read_thermal(written(tmp_path / "a.tiff", levels))
    values = Affine.of(frame).forward(frame.levels)
    low, high = np.percentile(levels, [0.1, 99.9])
    assert np.isclose(values[3, 3], (65535 - low) / (high - low))
    assert np.isclose(np.percentile(values, 0.1), 0, atol=1e-6)
    flat = read_thermal(written(tmp_path / "b.tiff", np.full((24, 32), 30000, np.uint16)))
    np.testing.assert_array_equal(Affine.of(flat).forward(flat.levels), 0)


def test_temperatures_come_back_with_a_word_on_the_hottest(tmp_path: Path) -> None:
    levels = scene()
    opened = ThermalFiles().open(written(tmp_path / "c_cK.tiff", levels))
    large = opened.image().repeat_interleave(2, 2).repeat_interleave(2, 3)
    (remark,) = opened.write(
        tmp_path / "out_cK.tiff", iter(large.split(16, 2)), 2, lambda image: iter([image])
    )
    result = tifffile.imread(tmp_path / "out_cK.tiff")
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result, levels.repeat(2, 0).repeat(2, 1))
    hottest = f"{levels.max() / 100 - 273.15:.2f}"
    assert remark == f"hottest pixel {hottest} -> {hottest} C, mean moved by +0.0000 %"
    assert read_image(tmp_path / "out_cK.tiff").bits == 16


def test_pictures_share_the_stretch_of_the_reference() -> None:
    reference = np.linspace(0.2, 0.8, 100).reshape(1, 10, 10)
    shown = Stretch(0)(reference, reference, {})
    assert shown.shape == (10, 10, 1)
    assert (shown.min(), shown.max()) == (0, 1)
    assert Stretch(0)(reference + 10, reference, {}).min() == 1
    assert np.isfinite(Stretch()(np.ones((1, 4, 4)), np.ones((1, 4, 4)), {})).all()
    assert torch.from_numpy(shown).dtype == torch.float32
