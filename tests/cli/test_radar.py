"""A person's own radar images from the command line."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from typer.testing import CliRunner

from sr_lab.backbones.lsrgan import LSRGAN, Reads
from sr_lab.cli import app
from sr_lab.degradation.band import cut_band, occupied_band, shifted_band
from sr_lab.degradation.resample import imresize
from sr_lab.degradation.speckle import circular_gaussian
from sr_lab.io.complex import as_channels
from sr_lab.tracking.record import Record
from sr_lab.weights.store import Checkpoint, Entry, register, save_checkpoint, sha256

RUNNER = CliRunner()
UPSCALE = ("--scene", "sar", "--scale", "2")
BICUBIC = (*UPSCALE, "--method", "bicubic")


def slc(centre: tuple[float, float] = (0.0, 0.0), rows: int = 48, columns: int = 64) -> np.ndarray:
    """Clutter, rms about 30."""
    white = circular_gaussian(
        torch.empty(rows, columns, dtype=torch.complex64), torch.Generator().manual_seed(0)
    )
    return 30 * shifted_band(cut_band(white, (rows, columns), (0.6, 0.7)), centre).numpy()


def invoke(*arguments: str | Path) -> tuple[int, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return 2, f"sr-lab: {result.exception}"
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.35, -0.2)])
def test_an_slc_is_padded_about_its_own_band(tmp_path: Path, centre: tuple[float, float]) -> None:
    values = slc(centre)
    np.save(tmp_path / "a.npy", values)
    code, output = invoke("upscale", tmp_path / "a.npy", *BICUBIC, "--out", tmp_path / "out")
    assert code == 0, output
    assert "zeros around its spectrum, not by bicubic" in output
    assert "band 0.6" in output
    result = np.load(tmp_path / "out" / "a.npy")
    assert (result.shape, result.dtype) == ((96, 128), np.complex64)
    assert np.mean(np.abs(result) ** 2) == pytest.approx(np.mean(np.abs(values) ** 2), rel=1e-4)
    band = occupied_band(torch.from_numpy(result))
    np.testing.assert_allclose(band.width, (0.3, 0.35), atol=0.03)
    np.testing.assert_allclose(band.centre, np.array(centre) / 2, atol=0.02)
    found = occupied_band(torch.from_numpy(values)).centre
    centred = shifted_band(torch.from_numpy(result), (-found[0], -found[1]), 0.5)
    back = shifted_band(cut_band(centred, (48, 64), (0.6, 0.6)), found)
    assert np.abs(back.numpy() - values).max() < 0.03 * np.abs(values).max(), "but for the highest frequency"


@pytest.mark.parametrize(("kind", "remark"), [(None, True), ("intensity", False), ("log", False)])
def test_detected_images_keep_their_kind_and_place(tmp_path: Path, kind: str | None, remark: bool) -> None:
    amplitude = np.abs(slc()) + 5
    stored = {None: amplitude, "intensity": amplitude**2, "log": 20 * np.log10(amplitude)}[kind].astype(
        np.float32
    )
    place = rasterio.Affine(10, 0, 600000, 0, -10, 5000000)
    profile = {"driver": "GTiff", "count": 1, "height": 48, "width": 64, "dtype": "float32"}
    with rasterio.open(tmp_path / "a.tif", "w", crs="EPSG:32633", transform=place, **profile) as file:
        file.write(stored[None])
    chosen = [] if kind is None else ["--set", f"scene.files.kind={kind}"]
    code, output = invoke("upscale", tmp_path / "a.tif", *BICUBIC, *chosen, "--out", tmp_path / "out")
    assert code == 0, output
    assert ("taken as amplitude" in output) == remark
    assert "geocoded" in output
    want = imresize(torch.from_numpy(amplitude)[None, None].double(), 2)[0, 0].clamp_min(0).numpy()
    with rasterio.open(tmp_path / "out" / "a.tif") as file:
        found = file.read(1).astype(np.float64)
        assert file.transform.a == 5
    found = {None: found, "intensity": np.sqrt(np.maximum(found, 0)), "log": 10 ** (found / 20)}[kind]
    inside = want > 5
    np.testing.assert_allclose(found[inside], want[inside], rtol=1e-4)


@pytest.mark.parametrize(
    ("array", "extra", "said"),
    [
        (slc(), ["--method", "fast"], "would sharpen speckle"),
        (np.real(slc()), [], "are below 0"),
        (np.zeros((12, 12), np.complex64), [], "zero everywhere"),
        (np.ones((2, 12, 12)), [], "2 bands"),
        (slc(), ["--method", "network", "--scale", "3"], "no trained network"),
        (np.ones((12, 12)), ["--set", "scene.files.kind=slc"], "was called 'slc'"),
        (np.ones((12, 12)), ["--set", "scene.files.kind=decibel"], "slc"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, array: np.ndarray, extra: list[str], said: str) -> None:
    np.save(tmp_path / "a.npy", array)
    code, output = invoke("upscale", tmp_path / "a.npy", *UPSCALE, *extra, "--out", tmp_path / "out")
    assert code == 2
    assert said in output
    assert not (tmp_path / "out").exists()


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, LSRGAN]:
    """Two small networks under the names that the scene asks for."""
    monkeypatch.setenv("SR_LAB_WEIGHTS", str(tmp_path / "weights"))
    found: dict[str, LSRGAN] = {}
    kinds: dict[str, Reads] = {"sar_x2": "amplitude", "sar_slc_x2": "parts"}
    for name, reads in kinds.items():
        network = LSRGAN(2, 8, 1, reads=reads).eval()
        torch.nn.init.normal_(network.tail.weight, std=0.01, generator=torch.Generator().manual_seed(0))
        path = tmp_path / "weights" / f"{name}.pt"
        path.parent.mkdir(exist_ok=True)
        save_checkpoint(path, Checkpoint(network.state_dict(), network.architecture))
        register(path.parent, Entry(name, path.name, sha256(path), "MIT", "a test", "lsrgan"))
        found[name] = network
    return found


@pytest.mark.parametrize("rows", [48, 100])
def test_networks_are_the_default(tmp_path: Path, networks: dict[str, LSRGAN], rows: int) -> None:
    values = slc((0.2, -0.1), rows)
    np.save(tmp_path / "slc.npy", values)
    np.save(tmp_path / "grd.npy", np.abs(values).round().astype(np.uint16))
    code, output = invoke("upscale", tmp_path, *UPSCALE, "--out", tmp_path / "out")
    assert code == 0, output
    assert "amplitude by the network" in output
    detected = np.load(tmp_path / "out" / "grd.npy")
    assert (detected.shape, detected.dtype) == ((2 * rows, 128), np.uint16)
    complex_ = np.load(tmp_path / "out" / "slc.npy")
    assert complex_.dtype == np.complex64
    code, _ = invoke("upscale", tmp_path / "slc.npy", *BICUBIC, "--out", tmp_path / "padded")
    assert code == 0
    padded = np.load(tmp_path / "padded" / "slc.npy")
    turned = np.angle(complex_ * padded.conj())
    assert np.abs(turned[np.abs(padded) > 3]).max() < 1e-2, "the phase is interpolated"
    if rows == 48:  # in one tile
        unit = np.sqrt(np.mean(np.abs(values) ** 2))
        centre = occupied_band(torch.from_numpy(values)).centre
        centred = shifted_band(torch.from_numpy(values / unit), (-centre[0], -centre[1]))
        with torch.no_grad():
            amplitude = networks["sar_slc_x2"](as_channels(centred[None]))[0, 0].numpy() * unit
        ratio = np.abs(complex_) / amplitude
        np.testing.assert_allclose(ratio, ratio.mean(), rtol=2e-3)
    for result, given in ((complex_, values), (detected.astype(float), np.abs(values))):
        blocks = [
            (np.abs(image) ** 2)[: side * 6, : side * 8].reshape(6, side, 8, side).mean((1, 3))
            for image, side in ((result, 16), (given, 8))
        ]
        assert np.median(blocks[0] / blocks[1]) == pytest.approx(1, abs=0.05), "intensity is kept"


def training(tmp_path: Path, *more: str) -> list[str]:
    """Arguments of a short training on two made-up scenes."""
    for number in range(2):
        np.save(tmp_path / f"scene{number}.npy", slc(rows=96, columns=96))
    folder = {"root": str(tmp_path), "split": "null", "unit": "30"}
    parts = [f"dataset.{part}.{key}={value}" for part in ("images", "test") for key, value in folder.items()]
    parts += ["dataset.images.only=null", "dataset.test.only=[scene0]"]
    small = ["backbone.width=8", "backbone.blocks=1", "dataset.patch_size=64", "dataset.patches_per_batch=2"]
    short = ["trainer.max_steps=4", "trainer.batches_per_epoch=4", "trainer.threads=1", "tracking=none"]
    return ["run", *more, "scale=2", *parts, *small, *short, f"out={tmp_path / 'runs'}"]


GAN = ("experiment=train_sar_lsrgan", "method.pixel_steps=2", "method.discriminator_width=2")


@pytest.mark.parametrize("experiment", [GAN, ("experiment=train_sar_merlin",)])
def test_a_network_is_trained_and_tested_by_one_command(tmp_path: Path, experiment: tuple[str, ...]) -> None:
    code, output = invoke(*training(tmp_path, *experiment))
    assert code == 0, output
    (found,) = tmp_path.rglob("result.json")
    record = Record.read(found.parent)
    assert record.fit["steps"] == 4
    assert record.metrics["bias_db"].mean < 1
    assert ("psnr_db@pixel" in record.metrics) == (experiment is GAN)
    assert (found.parent / "weights.pt").exists()


@pytest.mark.slow
def test_two_processes_train_a_gan_and_one_of_them_tests_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sr_lab", *training(tmp_path, *GAN, "trainer=ddp_cpu", "trainer.ema=0.9")],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = tmp_path.rglob("result.json")
    assert Record.read(found.parent).fit["steps"] == 4
