"""Cubes on their way through the data pipeline."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from sr_lab.data.cubes import Cubes
from sr_lab.data.degraded import DegradedImages
from sr_lab.data.images import Described, Images
from sr_lab.data.module import SRData
from sr_lab.data.patches import Patches
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.corruptions import GaussianNoise
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.errors import UserError

WAVELENGTHS = np.linspace(400.0, 1000.0, 9)


def cube(seed: int, bands: int, rows: int = 20, columns: int = 24) -> np.ndarray:
    """(rows, columns, bands) int16."""
    return np.random.default_rng(seed).integers(1, 4000, (rows, columns, bands)).astype(np.int16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Cubes a and b of 9 bands and one size, c of 5 bands and another; band 2 of a is empty; a split file."""
    first = cube(0, 9)
    first[..., 2] = 0
    scipy.io.savemat(tmp_path / "a.mat", {"data": first, "wavelength": WAVELENGTHS})
    np.save(tmp_path / "b.npy", cube(1, 9))
    np.save(tmp_path / "c.npy", cube(2, 5, 18, 17))
    lines = [
        f"{name}: {{file: {file}, flight: {name}, split: {split}, "
        f"sha256: {hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()}}}"
        for name, file, split in (
            ("one", "a.mat", "train"),
            ("two", "b.npy", "train"),
            ("three", "c.npy", "test"),
        )
    ]
    (tmp_path / "splits.yaml").write_text("\n".join(lines))
    return tmp_path


def test_a_folder_of_cubes(folder: Path) -> None:
    cubes = Cubes(str(folder))
    assert isinstance(cubes, Images)
    assert isinstance(cubes, Described)
    assert (cubes.ids, len(cubes)) == (["a", "b", "c"], 3)
    assert [tuple(cubes[i].shape) for i in range(3)] == [(8, 20, 24), (9, 20, 24), (5, 18, 17)]
    values = np.delete(cube(0, 9), 2, 2).transpose(2, 0, 1)
    unit = np.percentile(values, 99.9)
    np.testing.assert_allclose(cubes[0].numpy(), values / unit, rtol=1e-6)
    assert cubes[0].dtype == torch.float32
    facts = cubes.facts(0)
    assert facts["unit"] == pytest.approx(unit)
    np.testing.assert_array_equal(facts["wavelengths"], np.delete(WAVELENGTHS, 2))
    assert "wavelengths" not in cubes.facts(1)


def test_a_split_names_and_verifies_its_cubes(folder: Path) -> None:
    splits = str(folder / "splits.yaml")
    assert Cubes(str(folder), "train", splits).ids == ["one", "two"]
    assert Cubes(str(folder), "test", splits).ids == ["three"]
    assert Cubes(str(folder), "train", splits, only=["two"])[0].shape == (9, 20, 24)
    with pytest.raises(UserError, match=r"no image named three.*holds one, two"):
        Cubes(str(folder), "train", splits, only=["three"])
    np.save(folder / "b.npy", cube(3, 9))
    with pytest.raises(UserError, match="'two' is not the one of the split"):
        Cubes(str(folder), "train", splits)
    assert Cubes(str(folder), "train", splits, only=["one"]).ids == ["one"], "what is not used is not checked"


def test_bands_unit_and_crop(folder: Path) -> None:
    root = str(folder)
    whole = Cubes(root, only=["b"])[0]
    assert torch.equal(Cubes(root, only=["b"], bands=3)[0], whole[[0, 4, 8]])
    assert torch.equal(Cubes(root, only=["b"], bands=[7, 1])[0], whole[[7, 1]])
    assert torch.equal(Cubes(root, only=["b"], crop=[2, 3, 8, 12])[0], whole[:, 2:10, 3:15]), (
        "one scale, the cube's"
    )
    thousands = Cubes(root, only=["b"], unit=1000)[0]
    np.testing.assert_allclose(thousands.numpy(), cube(1, 9).transpose(2, 0, 1) / 1000, rtol=1e-6)
    assert Cubes(root, bands=4)[0].shape == (4, 20, 24)
    with pytest.raises(UserError, match="'c' has 5 usable bands, 6 were asked for"):
        Cubes(root, bands=6)[2]
    with pytest.raises(UserError, match=r"'a' has no usable bands \[2, 9\]"):
        Cubes(root, bands=[0, 2, 9])[0]
    with pytest.raises(UserError, match="crop"):
        Cubes(root, crop=[0, 0, 30, 8])[0]
    with pytest.raises(UserError, match="SR_LAB_DATA"):
        Cubes(str(folder / "gone"))


def test_cubes_of_any_size_go_through_the_pipeline(folder: Path) -> None:
    bicubic = Degradation(4, None, anchor="block_center")
    data = SRData(Cubes(str(folder)), bicubic, batch_size=4)
    batches = list(data.test_dataloader())
    assert [batch.image_ids for batch in batches] == [["a"], ["b"], ["c"]]
    assert [tuple(batch.lr.shape) for batch in batches] == [(1, 8, 5, 6), (1, 9, 5, 6), (1, 5, 4, 4)]
    alike = SRData(Cubes(str(folder), bands=5), bicubic, batch_size=4)
    batches = list(alike.test_dataloader())
    assert [batch.image_ids for batch in batches] == [["a", "b"], ["c"]]
    assert set(batches[0].meta) == {"a", "b"}
    assert len(batches[0].meta["a"]["wavelengths"]) == 5
    assert batches[0].kernel is None


def test_patches_of_cubes_keep_their_precision(folder: Path) -> None:
    cubes = Cubes(str(folder), bands=5)
    windows = {
        turned.contiguous().numpy().tobytes()
        for image in (cubes[i] for i in range(3))
        for window in image.unfold(1, 16, 1).unfold(2, 16, 1).flatten(1, 2).unbind(1)
        for flipped in (window, window.flip(-1))
        for turned in (torch.rot90(flipped, quarter, (-2, -1)) for quarter in range(4))
    }
    found = [patch for batch in Patches(cubes, 16, 4, 0, 5) for patch in batch]
    assert len(found) == 20
    assert all(patch.contiguous().numpy().tobytes() in windows for patch in found)
    with pytest.raises(UserError, match=r"'b' has 9 bands, those before it 8.*scene\.channels"):
        Patches(Cubes(str(folder)), 16, 4, 0, 5)


@pytest.mark.parametrize("bands", [1, 4, 60])
def test_all_bands_are_degraded_alike(bands: int) -> None:
    hr = torch.rand(2, bands, 24, 28, generator=torch.Generator().manual_seed(0))
    blur = Degradation(2, GaussianKernels(2), [])
    for degradation in (blur, Degradation(2, None, anchor="block_center")):
        degraded = degradation.degrade(hr, torch.Generator().manual_seed(1))
        for band in range(bands):
            alone = degradation(hr[:, band : band + 1], degraded.kernel)
            torch.testing.assert_close(degraded.lr[:, band : band + 1], alone)
    noisy = Degradation(2, GaussianKernels(2), [GaussianNoise(0.1, 0.1)])
    lr = noisy.degrade(hr, torch.Generator().manual_seed(1)).lr
    clean = blur.degrade(hr, torch.Generator().manual_seed(1)).lr
    assert (lr - clean).std().item() == pytest.approx(0.1, rel=0.15)


def test_facts_follow_an_image_through_several_draws(folder: Path) -> None:
    dataset = DegradedImages(
        Cubes(str(folder), only=["a"]), Degradation(2, None, anchor="block_center"), 1, draws=2
    )
    assert set(dataset[1].meta) == {"a@1"}
    assert len(dataset[1].meta["a@1"]["wavelengths"]) == 8
