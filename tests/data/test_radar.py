"""Radar images on their way through the data pipeline, and a whole run."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from sr_lab.cli import app
from sr_lab.config.compose import compose, to_plain
from sr_lab.data.images import Described, Images
from sr_lab.data.module import SRData
from sr_lab.data.patches import Patches
from sr_lab.data.radar import RadarImages
from sr_lab.data.splits import read_splits, verified
from sr_lab.degradation.band import cut_band, occupied_band, shifted_band
from sr_lab.degradation.bandcut import Bandcut
from sr_lab.degradation.detected import Multilook
from sr_lab.degradation.speckle import circular_gaussian
from sr_lab.errors import UserError
from sr_lab.io.complex import as_complex
from sr_lab.io.images import read_image
from sr_lab.run import run
from sr_lab.scenes.sar.splits import SPLITS
from sr_lab.tracking.record import Record


def slc(seed: int, centre: tuple[float, float] = (0.0, 0.0), side: int = 96) -> np.ndarray:
    white = circular_gaussian(
        torch.empty(side, side, dtype=torch.complex64), torch.Generator().manual_seed(seed)
    )
    return (40 * shifted_band(cut_band(white, (side, side), (0.7, 0.9)), centre)).numpy()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """SLCs a (off centre) and b, a detected c of two polarisations; a split file."""
    root = tmp_path / "sar"
    root.mkdir()
    np.save(root / "a.npy", slc(0, (0.3, 0.0)))
    np.save(root / "b.npy", slc(1))
    np.save(root / "c.npy", np.abs(np.stack([slc(2), slc(3)])).astype(np.uint16))
    lines = [
        f"{name}: {{file: {name}.npy, flight: {name}, split: {split}, "
        f"sha256: {hashlib.sha256((root / f'{name}.npy').read_bytes()).hexdigest()}}}"
        for name, split in (("a", "train"), ("b", "test"))
    ]
    (tmp_path / "splits.yaml").write_text("\n".join(lines))
    return root


def test_slcs_are_centred_over_one_unit(folder: Path) -> None:
    images = RadarImages(str(folder), unit=20.0, only=["a", "b"])
    assert isinstance(images, Images)
    assert isinstance(images, Described)
    assert images.ids == ["a", "b"]
    first = images[0]
    assert (first.shape, first.dtype) == ((2, 96, 96), torch.float32)
    np.testing.assert_allclose(first.norm(dim=0).numpy(), np.abs(slc(0)) / 20, rtol=1e-4, atol=1e-5)
    assert abs(occupied_band(as_complex(first[None])[0]).centre[0]) < 0.02
    facts = images.facts(0)
    assert (facts["kind"], facts["unit"]) == ("slc", 20.0)
    assert facts["band"].centre[0] == pytest.approx(0.3, abs=0.02)
    own = RadarImages(str(folder), only=["b"])[0]
    assert own.square().sum(0).mean().item() == pytest.approx(1)
    assert torch.equal(RadarImages(str(folder), only=["b"], crop=[4, 8, 32, 16])[0], own[:, 4:36, 8:24])


def test_detected_images_and_polarisations(folder: Path) -> None:
    with pytest.raises(UserError, match=r"2 bands"):
        RadarImages(str(folder), only=["c"])[0]
    images = RadarImages(str(folder), only=["c"], band=1, unit=1)
    np.testing.assert_array_equal(images[0][0].numpy(), np.load(folder / "c.npy")[1])
    assert set(images.facts(0)) == {"kind", "unit"}
    detected = RadarImages(str(folder), only=["b"], detect=True)[0]
    torch.testing.assert_close(detected[0], RadarImages(str(folder), only=["b"])[0].norm(dim=0))
    with pytest.raises(UserError, match="a unit of 0"):
        RadarImages(str(folder), unit=0)


def test_a_split_names_and_verifies_its_files(folder: Path) -> None:
    splits = str(folder.parent / "splits.yaml")
    assert RadarImages(str(folder), "train", splits).ids == ["a"]
    np.save(folder / "b.npy", slc(5))
    with pytest.raises(UserError, match="'b' is not the one of the split"):
        RadarImages(str(folder), "test", splits)


def test_the_committed_split(data: Path) -> None:
    entries = read_splits(SPLITS)
    train = {name for name, entry in entries.items() if entry.split == "train"}
    assert {name.split("-")[1] for name in train} == {"1", "2", "3", "5", "6"}
    for name, entry in entries.items():
        verified(data / "sar", name, entry)


def test_complex_images_go_through_the_pipeline(folder: Path) -> None:
    images = RadarImages(str(folder), only=["a", "b"])
    (batch,) = SRData(images, Bandcut(2, occupied=[0.7, 0.9]), batch_size=2).test_dataloader()
    assert batch.hr is not None
    assert (batch.lr.shape, batch.hr.shape) == ((2, 2, 48, 48), (2, 2, 96, 96))
    looked = next(iter(SRData(images, Multilook(2), batch_size=2).test_dataloader()))
    assert looked.lr.shape == (2, 1, 48, 48), "HR keeps its phase"
    patches = next(iter(Patches(images, 32, 4, 0, 1)))
    assert patches.shape == (4, 2, 32, 32)


@pytest.mark.parametrize("method", ["zero_pad", "sva"])
def test_a_run_is_whole(folder: Path, tmp_path: Path, method: str) -> None:
    chosen = [
        f"experiment=sar_{method}", "dataset=radar", f"dataset.images.root={folder / 'b.npy'}", "scale=2",
        "degradation.occupied=[0.7,0.9]", "degradation.taper=null", "tracking=none", f"out={tmp_path / 'runs'}",
    ]  # fmt: skip
    record, directory = run(to_plain(compose(chosen)))
    assert record is not None
    assert set(record.config["metrics"]) <= set(record.metrics)
    assert record.metrics["in_band_error"].mean < (1e-4 if method == "zero_pad" else 0.5)
    assert record.metrics["bias_db"].mean < 0.5 or method == "sva"
    if method == "zero_pad":
        assert record.metrics["out_of_band_error"].mean == pytest.approx(1, abs=1e-4)
        assert record.metrics["consistency_db"].mean == pytest.approx(100)
        assert record.metrics["epi"].mean > record.metrics["epi@bicubic"].mean, "nothing is smoothed"
    assert (directory / str(record.images["b"].figure)).exists()


@pytest.mark.parametrize(
    ("chosen", "lr"),
    [
        (["experiment=sar_zero_pad", "scale=2", "degradation.grid=[2,1]"], (48, 96)),
        (
            [
                "experiment=train_sar_lsrgan", "scale=4", "degradation.grid=[4,2]", "backbone.axes=[4,2]",
                "backbone.width=8", "backbone.blocks=1", "method.discriminator_width=4", "method.tile=20",
                "method.pixel_steps=2", "trainer.max_steps=3", "trainer.batches_per_epoch=3",
            ],
            (24, 48),
        ),
    ],
)  # fmt: skip
def test_runs_with_factors_of_their_own(
    folder: Path, tmp_path: Path, chosen: list[str], lr: tuple[int, int]
) -> None:
    more = [
        "dataset=radar", f"dataset.images.root={folder / 'b.npy'}", "degradation.occupied=[0.7,0.9]",
        "degradation.taper=null", "tracking=none", f"out={tmp_path / 'runs'}",
    ]  # fmt: skip
    result = CliRunner().invoke(app, ["run", *chosen, *more])
    assert result.exit_code == 0, result.output
    (path,) = (tmp_path / "runs").rglob("result.json")
    record = Record.read(path.parent)
    pictures = {name: getattr(record.images["b"], name) for name in ("lr", "bicubic", "sr", "hr", "figure")}
    shapes = {name: read_image(path.parent / str(file)).pixels.shape[:2] for name, file in pictures.items()}
    assert shapes["lr"] == lr
    assert {shapes[name] for name in ("bicubic", "sr", "hr")} == {(96, 96)}
    assert {"psnr_db", "psnr_db@bicubic", "enl"} <= set(record.metrics)
    if "experiment=sar_zero_pad" in chosen:
        assert record.metrics["in_band_error"].mean < 1e-4
        assert record.metrics["out_of_band_error"].mean == pytest.approx(1, abs=1e-4)
