import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from sr_lab.config.build import build
from sr_lab.config.compose import compose, groups, to_plain
from sr_lab.data.degraded import DegradedImages, SameSizeBatches
from sr_lab.data.images import ImageFolder, SkimageImages, as_channels
from sr_lab.data.module import SRData
from sr_lab.data.patches import Patches
from sr_lab.data.sample import Sample, collate
from sr_lab.degradation.chain import Degradation, keyed_generator
from sr_lab.degradation.corruptions import GaussianNoise, Quantise
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.errors import UserError


class Noise:
    """Images of given sizes, each of one value that names it plus noise of its own."""

    def __init__(self, **sizes: tuple[int, int]) -> None:
        self.ids, self.sizes = list(sizes), sizes

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> torch.Tensor:
        name = self.ids[index]
        return torch.rand(3, *self.sizes[name], generator=keyed_generator(0, name, "image"))


class Complex(Noise):
    """Two channels."""

    def __getitem__(self, index: int) -> torch.Tensor:
        return super().__getitem__(index)[:2]


class Grey(Noise):
    """The first channel of them."""

    def __getitem__(self, index: int) -> torch.Tensor:
        return super().__getitem__(index)[:1]


def chain(scale: int = 2) -> Degradation:
    noise = [GaussianNoise(0.0, 0.05), Quantise("round")]
    return Degradation(scale, GaussianKernels(scale), noise)


def assert_same(a: Sample, b: Sample) -> None:
    assert (a.image_ids, a.scale) == (b.image_ids, b.scale)
    for name in ("lr", "hr", "kernel", "noise_level"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), atol=0, rtol=0)


# Degraded images


def test_a_sample_depends_on_seed_and_id_alone():
    sizes = {"a": (16, 18), "b": (16, 18), "c": (20, 22)}
    dataset = DegradedImages(Noise(**sizes), chain(), seed=1)
    samples = {dataset.image_id(index): dataset[index] for index in range(3)}
    alone = DegradedImages(Noise(b=(16, 18)), chain(), seed=1)[0]
    assert_same(alone, samples["b"])
    for order in itertools.permutations("abc"):
        other = DegradedImages(Noise(**{name: sizes[name] for name in order}), chain(), seed=1)
        for index, name in enumerate(order):
            assert_same(other[index], samples[name])
    another = DegradedImages(Noise(b=(16, 18)), chain(), seed=2)[0]
    assert not torch.equal(another.lr, alone.lr)
    assert another.kernel is not None
    assert alone.kernel is not None
    assert not torch.equal(another.kernel, alone.kernel)
    assert not torch.equal(samples["a"].lr, samples["b"].lr)


def test_batches_hold_the_samples_they_are_made_of():
    dataset = DegradedImages(Noise(a=(16, 18), b=(20, 22), c=(16, 18)), chain(), seed=1)
    batch = collate([dataset[2], dataset[0]])
    assert batch.image_ids == ["c", "a"]
    assert len(batch) == 2
    for row, index in enumerate((2, 0)):
        single = dataset[index]
        for name in ("lr", "hr", "kernel", "noise_level"):
            assert torch.equal(getattr(batch, name)[row : row + 1], getattr(single, name))
    assert collate([dataset[1]]).image_ids == ["b"]


def test_what_is_unknown_of_one_is_unknown_of_the_batch():
    lr = torch.zeros(1, 3, 4, 4)
    batch = collate([Sample(lr, 2, ["a"], noise_level=torch.zeros(1)), Sample(lr, 2, ["b"])])
    assert (batch.hr, batch.kernel, batch.noise_level) == (None, None, None)


def test_images_are_cut_to_multiples_of_the_scale():
    images = Noise(a=(19, 23))
    sample = DegradedImages(images, chain(4), seed=1)[0]
    assert sample.hr is not None
    assert sample.hr.shape == (1, 3, 16, 20)
    assert torch.equal(sample.hr[0], images[0][:, :16, :20])
    assert sample.lr.shape == (1, 3, 4, 5)


def test_draws_give_an_image_further_kernels():
    once = DegradedImages(Noise(a=(16, 18), b=(16, 18)), chain(), seed=1)
    thrice = DegradedImages(Noise(a=(16, 18), b=(16, 18)), chain(), seed=1, draws=3)
    assert len(thrice) == 6
    samples = [thrice[index] for index in range(6)]
    ids = [sample.image_ids[0] for sample in samples]
    assert ids == ["a", "b", "a@1", "b@1", "a@2", "b@2"]
    for index in range(2):
        assert_same(once[index], samples[index])
    assert len({sample.kernel.sum(2)[0, 0, 3].item() for sample in samples if sample.kernel is not None}) == 6
    for sample in samples[2::2]:
        torch.testing.assert_close(sample.hr, samples[0].hr, atol=0, rtol=0)


@pytest.mark.parametrize("index", [-1, 2])
def test_there_is_nothing_before_the_first_or_after_the_last(index: int):
    dataset = DegradedImages(Noise(a=(16, 18), b=(16, 18)), chain(), seed=1)
    with pytest.raises(IndexError):
        dataset[index]


def test_images_smaller_than_the_scale_are_refused():
    with pytest.raises(UserError, match="'a'"):
        DegradedImages(Noise(a=(3, 18)), chain(4), seed=1)[0]


def test_a_sample_moves_with_its_tensors():
    sample = DegradedImages(Noise(a=(16, 18)), chain(), seed=1)[0]
    sample.meta["bits"] = 8
    moved = sample.to("meta")
    for name in ("lr", "hr", "kernel", "noise_level"):
        assert getattr(moved, name).is_meta
        assert not getattr(sample, name).is_meta
    assert (moved.image_ids, moved.scale, moved.meta) == (["a"], 2, {"bits": 8})


@given(
    sizes=st.lists(st.sampled_from([(8, 8), (8, 10), (10, 8)]), min_size=1, max_size=9),
    batch_size=st.integers(1, 4),
    world=st.integers(1, 4),
    draws=st.integers(1, 2),
    skipped=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_the_ranks_share_out_all_images_once(
    sizes: list[tuple[int, int]], batch_size: int, world: int, draws: int, skipped: int
):
    images = Noise(**{f"image{index}": size for index, size in enumerate(sizes)})
    dataset = DegradedImages(images, chain(), seed=1, draws=draws)
    skip = {dataset.image_id(index) for index in range(min(skipped, len(dataset)))}
    shares = [SameSizeBatches(dataset, batch_size, rank, world, skip) for rank in range(world)]
    dealt = [index for share in shares for batch in share for index in batch]
    wanted = [index for index in range(len(dataset)) if dataset.image_id(index) not in skip]
    assert sorted(dealt) == wanted
    for share in shares:
        assert len(share) == len(list(share))
        for batch in share:
            assert 1 <= len(batch) <= batch_size
            assert len({sizes[index % len(sizes)] for index in batch}) == 1
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


# Where images come from


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, shape in (("b.png", (9, 8, 3)), ("sub/a.png", (9, 8)), ("c.bmp", (12, 10, 3))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_a_folder_is_read_by_relative_path(folder: Path):
    images = ImageFolder(str(folder))
    assert images.ids == ["b", "c", "sub/a"]
    assert len(images) == 3
    stored = np.asarray(Image.open(folder / "b.png"))
    np.testing.assert_array_equal((images[0] * 255).round().permute(1, 2, 0).numpy(), stored)
    assert images[0].dtype == torch.float32
    grey = images[2]
    assert grey.shape == (3, 9, 8)
    assert torch.equal(grey[0], grey[2])


def test_names_that_differ_in_their_suffix_stay_apart(folder: Path):
    Image.new("RGB", (5, 5)).save(folder / "b.bmp")
    images = ImageFolder(str(folder))
    assert images.ids == ["b.bmp", "b.png", "c", "sub/a"]
    assert images[0].shape == (3, 5, 5)
    assert ImageFolder(str(folder), only=["b.png"])[0].shape == (3, 9, 8)


def test_a_folder_may_be_narrowed(folder: Path):
    assert ImageFolder(str(folder), only=["sub/a", "b"]).ids == ["b", "sub/a"]
    assert ImageFolder(str(folder), limit=2).ids == ["b", "c"]
    one = ImageFolder(str(folder / "c.bmp"))
    assert one.ids == ["c"]
    cut = ImageFolder(str(folder), crop=[2, 1, 4, 5])
    assert torch.equal(cut[1], ImageFolder(str(folder))[1][:, 2:6, 1:6])


def test_grey_is_pillows_luma(folder: Path):
    grey = ImageFolder(str(folder), channels=1)[0]
    expected = np.asarray(Image.open(folder / "b.png").convert("L")) / 255
    np.testing.assert_allclose(grey[0].numpy(), expected, atol=1 / 255)
    assert torch.equal(as_channels(grey, 1), grey)


def test_what_is_missing_from_a_folder_is_named(folder: Path):
    with pytest.raises(UserError, match="SR_LAB_DATA"):
        ImageFolder(str(folder / "nowhere"))
    with pytest.raises(UserError, match=r"no image named z.*holds b, c, sub/a"):
        ImageFolder(str(folder), only=["b", "z"])
    for crop in ([0, 0, 10, 8], [0, 1, 9, 8], [-1, 0, 4, 4], [0, 0, 0, 4]):
        with pytest.raises(UserError, match="crop"):
            ImageFolder(str(folder), crop=crop)[0]


def test_photographs_of_scikit_image():
    images = SkimageImages(["astronaut", "camera"], crop=[10, 20, 32, 48], shrink=2)
    assert images.ids == ["astronaut", "camera"]
    from skimage import data

    expected = data.astronaut()[20:84, 40:136].reshape(32, 2, 48, 2, 3).mean((1, 3))
    np.testing.assert_allclose(images[0].permute(1, 2, 0).numpy() * 255, expected, atol=0.501)
    np.testing.assert_array_equal(images[0] * 255, (images[0] * 255).round())
    assert images[1].shape == (3, 32, 48)
    assert SkimageImages(["astronaut"], channels=1)[0].shape == (1, 512, 512)
    with pytest.raises(UserError, match="'__version__'"):
        SkimageImages(["__version__"])[0]


def test_set5_is_all_there(data: Path):
    images = ImageFolder(str(data / "natural" / "set5"))
    assert len(images) == 5
    assert all(side % 12 == 0 for index in range(5) for side in images[index].shape[-2:])


# Patches


def patches(seed: int = 0, rank: int = 0, batches: int = 4, done: int = 0) -> Patches:
    return Patches(Noise(a=(20, 24), b=(16, 16)), 8, 3, seed, batches, rank, done)


def flat(batches: Iterator[torch.Tensor] | DataLoader) -> list[bytes]:
    return [batch.numpy().tobytes() for batch in batches]


OF_FILES = ("kernel_files", "fkp_shipped")  # which need data
OF_ONE_CHANNEL = ("infrared_chain",)
CHOICES = [name for name in groups()["degradation"] if name not in OF_FILES]


@pytest.mark.parametrize("name", CHOICES)
def test_every_degradation_of_the_config_makes_samples(name: str):
    config = to_plain(compose(["experiment=bicubic", f"degradation={name}", "scale=2"]))
    radar = name.startswith("sar_")
    kind = Grey if name in OF_ONE_CHANNEL else Complex if radar else Noise
    images = kind(a=(64, 72))
    samples = DegradedImages(images, build(config["degradation"]), seed=1)
    sample = samples[0]
    assert (len(sample.lr), *sample.lr.shape[2:]) == (1, 32, 36)
    assert sample.lr.shape[1] in ((1, 2) if radar else (len(images[0]),)), "what is detected has one channel"
    assert_same(sample, samples[0])


def test_what_is_tested_on_is_named_or_what_is_validated_on_or_all():
    one, two, three = (Noise(**{name: (8, 8)}) for name in "abc")
    named = SRData(one, chain(), validation=two, test=three)
    assert named.test_set.images is three
    assert named.validation_set is not None
    assert named.validation_set.images is two
    assert SRData(one, chain(), validation=two).test_set.images is two
    assert SRData(one, chain()).test_set.images is one


def test_patches_are_cut_from_the_images():
    whole = [(image * 255).round() for image in (Noise(a=(20, 24), b=(16, 16))[i] for i in range(2))]
    windows = {
        turned.numpy().tobytes()
        for image in whole
        for window in image.unfold(1, 8, 1).unfold(2, 8, 1).flatten(1, 2).unbind(1)
        for flipped in (window, window.flip(-1))
        for turned in (torch.rot90(flipped, quarter, (-2, -1)) for quarter in range(4))
    }
    found = [patch for batch in patches(batches=20) for patch in batch]
    assert len(found) == 60
    assert found[0].shape == (3, 8, 8)
    assert all((patch * 255).round().numpy().tobytes() in windows for patch in found)
    assert len({patch.numpy().tobytes() for patch in found}) > 55


def test_patches_are_new_in_every_epoch_and_rank_but_repeatable():
    stream = patches()
    first, second = flat(iter(stream)), flat(iter(stream))
    assert not set(first) & set(second)
    assert flat(iter(patches())) == first
    assert not set(first) & set(flat(iter(patches(rank=1))))
    assert not set(first) & set(flat(iter(patches(seed=1))))
    assert len(stream) == len(first) == 4
    later = patches(done=6)  # resumed in the middle of the second epoch
    assert flat(iter(later)) == second[2:]
    assert flat(iter(later)) == flat(iter(stream))


def test_loader_processes_share_an_epoch():
    loader = DataLoader(patches(batches=5), batch_size=None, num_workers=2, persistent_workers=True)
    first, second = flat(loader), flat(loader)
    assert len(set(first)) == len(set(second)) == 5
    assert not set(first) & set(second)


def test_images_smaller_than_a_patch_are_refused():
    with pytest.raises(UserError, match="'b' of 16x16"):
        Patches(Noise(a=(20, 24), b=(16, 16)), 17, 1, 0, 1)


# The module


def test_the_module_leaves_finished_images_out():
    data = SRData(Noise(a=(16, 18), b=(20, 22), c=(16, 18)), chain(), batch_size=2, done=["c"])
    assert [batch.image_ids for batch in data.test_dataloader()] == [["a"], ["b"]]
    data = SRData(Noise(a=(16, 18), b=(20, 22), c=(16, 18)), chain(), batch_size=2)
    assert [batch.image_ids for batch in data.test_dataloader()] == [["a", "c"], ["b"]]


def test_the_module_validates_and_tests_on_the_validation_images():
    data = SRData(Noise(a=(32, 32)), chain(), validation=Noise(v=(16, 18)), patch_size=8, batches_per_epoch=2)
    assert [batch.image_ids for batch in data.val_dataloader()] == [["v"]]  # pyright: ignore[reportAttributeAccessIssue]
    assert [batch.image_ids for batch in data.test_dataloader()] == [["v"]]
    assert [batch.shape for batch in data.train_dataloader()] == [(8, 3, 8, 8)] * 2
    assert SRData(Noise(a=(16, 18)), chain()).val_dataloader() == []


def test_lightning_moves_samples(monkeypatch: pytest.MonkeyPatch):
    sample = DegradedImages(Noise(a=(16, 18)), chain(), seed=1)[0]
    moved = pl.LightningModule().transfer_batch_to_device(sample, torch.device("meta"), 0)
    assert moved.lr.is_meta
