"""Thermal frames as images: sets and their content, facts, and pairs that a camera took."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sr_lab.data.degraded import DegradedImages
from sr_lab.data.frames import Frames, RealFrames
from sr_lab.degradation.chain import Degradation
from sr_lab.errors import UserError
from sr_lab.scenes.infrared.splits import content, read_splits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sets of frames, one with real LR images, and a split file."""
    generator = np.random.default_rng(0)
    for name, size in (("train", (32, 40)), ("pairs", (32, 40)), ("pairs_lr", (16, 20)), ("seen", (16, 20))):
        (tmp_path / name).mkdir()
        for index in range(2):
            levels = generator.integers(0, 256, size, dtype=np.uint8)
            Image.fromarray(levels).save(tmp_path / name / f"{index}{'x2' if name == 'pairs_lr' else ''}.png")
    entries = ""
    for name, split, extra in (
        ("train", "train", ""),
        ("pairs", "test", ", lr: pairs_lr, lr_suffix: x2"),
        ("seen", "test", ", truth: false"),
    ):
        digest = content(sorted((tmp_path / name).glob("*.png")))
        entries += (
            f"{name}: {{folder: {name}, split: {split}, camera: c, frames: 2, sha256: '{digest}'{extra}}}\n"
        )
    (tmp_path / "splits.yaml").write_text(entries)
    return tmp_path


def test_a_split_holds_its_sets_with_truth(folder: Path) -> None:
    splits = str(folder / "splits.yaml")
    assert Frames(str(folder), split="train", splits=splits).ids == ["train/0", "train/1"]
    test = Frames(str(folder), split="test", splits=splits)
    assert test.ids == ["pairs/0", "pairs/1"]
    assert test[0].shape == (1, 32, 40)
    assert test.facts(0) == {"unit": "grey levels", "gain": 255.0, "offset": 0.0}
    assert Frames(str(folder), split="test", splits=splits, limit=1).ids == ["pairs/0"]
    assert Frames(str(folder), split="test", splits=splits, only=["pairs/1"], crop=[0, 0, 8, 8])[0].shape == (
        1,
        8,
        8,
    )
    assert Frames(str(folder / "train")).ids == ["0", "1"]


def test_pairs_are_taken_as_they_are(folder: Path) -> None:
    images = RealFrames(str(folder), ["pairs", "seen"], splits=str(folder / "splits.yaml"))
    samples = DegradedImages(images, Degradation(2, None, anchor="block_center"), seed=1)
    assert [samples.image_id(index) for index in range(4)] == ["pairs/0", "pairs/1", "seen/0", "seen/1"]
    pair, alone = samples[1], samples[2]
    stored = np.asarray(Image.open(folder / "pairs_lr" / "1x2.png")) / np.float32(255)
    np.testing.assert_allclose(pair.lr[0, 0], stored, atol=1e-6)
    assert pair.hr is not None
    assert pair.hr.shape == (1, 1, 32, 40)
    assert pair.kernel is None
    assert alone.hr is None
    assert alone.lr.shape == (1, 1, 16, 20)
    torch.testing.assert_close(samples[1].lr, pair.lr)


def test_what_does_not_fit_is_said(folder: Path) -> None:
    splits = str(folder / "splits.yaml")
    with pytest.raises(UserError, match=r"no set of frames is called 'pears'.*pairs"):
        Frames(str(folder), sets=["pears"], splits=splits)
    with pytest.raises(UserError, match="no real LR"):
        RealFrames(str(folder), ["train"], splits=splits)
    samples = DegradedImages(
        RealFrames(str(folder), ["pairs"], splits=splits), Degradation(4, None, anchor="block_center"), seed=1
    )
    with pytest.raises(UserError, match=r"16x20 and 32x40, which is not x4"):
        samples[0]
    (folder / "train" / "1.png").unlink()
    with pytest.raises(UserError, match="the 1 frames of 'train' are not the 2 of the split"):
        Frames(str(folder), split="train", splits=splits)


def test_the_shipped_split_is_what_the_data_folder_holds(data: Path) -> None:
    root = data / "infrared"
    if not root.is_dir():
        pytest.skip("no infrared data")
    sets = read_splits()
    assert {name for name, entry in sets.items() if entry.split == "train"} == {
        "pbvs",
        "roadscene",
        "infrared100",
    }
    frames = Frames(str(root), split="test")
    assert len(frames) == 10 + 7 + 11
    radiometric = [index for index, name in enumerate(frames.ids) if name.endswith("_cK")]
    assert len(radiometric) == 2
    facts = frames.facts(radiometric[0])
    assert facts["unit"] == "K"
    assert 280 < facts["offset"] < 310
