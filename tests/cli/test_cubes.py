"""Hyperspectral cubes from the command line: a whole run, its report, and a person's own files."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import scipy.io
import torch
from typer.testing import CliRunner

from sr_lab.backbones.eigenimages import Eigenimages
from sr_lab.backbones.residual import ResidualNet
from sr_lab.cli import app
from sr_lab.config.compose import compose, to_plain
from sr_lab.degradation.resample import imresize
from sr_lab.io.images import read_image
from sr_lab.run import run
from sr_lab.tracking.record import Record
from sr_lab.weights.store import Checkpoint, save_checkpoint

RUNNER = CliRunner()


def scene(bands: int, rows: int = 24, columns: int = 32, seed: int = 0) -> np.ndarray:
    """Smooth (bands, rows, columns) in 0 .. 4000."""
    coarse = torch.rand(1, bands, rows // 4, columns // 4, generator=torch.Generator().manual_seed(seed))
    return (4000 * imresize(coarse, 4)[0].clamp(0, 1)).numpy()


def invoke(*arguments: str | Path) -> tuple[int, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return 2, f"sr-lab: {result.exception}"
    return result.exit_code, result.output


def test_a_run_on_cubes_is_whole_and_reported(tmp_path: Path) -> None:
    folder = tmp_path / "cubes"
    folder.mkdir()
    first = scene(7).transpose(1, 2, 0)
    first[..., 3] = 1e-3  # darker than ERGAS can divide by
    scipy.io.savemat(folder / "a.mat", {"data": first, "wavelength": np.linspace(400, 1000, 7)})
    np.save(folder / "b.npy", scene(4, 16, 16, seed=1).transpose(1, 2, 0).astype(np.int16))
    chosen = [
        "scene=hyperspectral", "experiment=bicubic", "dataset=cubes", f"dataset.images.root={folder}",
        "degradation=bicubic", "scale=4", "tracking=none", "save_arrays=true", f"out={tmp_path / 'runs'}",
    ]  # fmt: skip
    record, directory = run(to_plain(compose(chosen)), command="sr-lab run ...")
    assert record is not None
    assert Record.read(directory) == record
    for name in ("psnr_band", "psnr_cube", "ssim_band", "sam", "ergas", "cc", "rmse"):
        assert set(record.metrics[name].per_image) == {"a", "b"}, name
        assert np.isfinite(record.metrics[name].mean)
    assert record.notes == ["a: ergas: 1 of 7 bands with a mean below 0.0001 left out"]
    files = record.images["a"]
    for name, shape in (
        ("lr", (6, 8, 3)),
        ("bicubic", (24, 32, 3)),
        ("sr", (24, 32, 3)),
        ("hr", (24, 32, 3)),
    ):
        pixels = read_image(directory / getattr(files, name)).pixels
        assert pixels.shape == shape
        assert np.ptp(pixels) > 0.2, "a picture shows something"
    restored = np.load(directory / str(files.array))
    assert (restored.shape, restored.dtype) == ((7, 24, 32), np.float32)
    code, output = invoke("report", tmp_path / "runs")
    assert code == 0, output
    page = (tmp_path / "runs" / "report.html").read_text()
    assert "SAM" in page
    assert page.count("<img") >= 8


def test_the_lr_of_a_cube_is_not_stored_in_8_bits(tmp_path: Path) -> None:
    for degradation in ("bicubic", "gaussian", "gaussian_clean"):
        config = to_plain(
            compose(["scene=hyperspectral", "experiment=bicubic", f"degradation={degradation}"])
        )
        assert {c["how"] for c in config["degradation"]["corruptions"] if "how" in c} == {"none"}
        config = to_plain(compose(["experiment=bicubic", f"degradation={degradation}"]))
        assert "none" not in {c.get("how") for c in config["degradation"]["corruptions"]}


UPSCALE = ("--scene", "hyperspectral", "--method", "bicubic", "--scale", "2")


def expected(values: np.ndarray) -> np.ndarray:
    return imresize(torch.from_numpy(values.astype(np.float64))[None], 2)[0].numpy()


def test_own_cubes_come_back_as_they_came(tmp_path: Path) -> None:
    values = np.rint(scene(5)).astype(np.uint16)
    wavelengths = np.linspace(400, 800, 5)
    source = tmp_path / "in"
    source.mkdir()
    scipy.io.savemat(source / "a.mat", {"cube": values.transpose(1, 2, 0), "wavelength": wavelengths})
    np.save(source / "b.npy", values.transpose(1, 2, 0).astype(np.float32))
    with h5py.File(source / "c.h5", "w") as file:
        file["r"] = values.transpose(1, 2, 0)
    code, output = invoke("upscale", source, *UPSCALE, "--out", tmp_path / "out")
    assert code == 0, output
    held = scipy.io.loadmat(tmp_path / "out" / "a.mat")
    want = expected(values)
    assert held["cube"].dtype == np.uint16
    np.testing.assert_array_equal(held["wavelength"][0], wavelengths)
    assert np.abs(held["cube"].transpose(2, 0, 1) - np.clip(want, 0, None)).max() <= 0.51
    floats = np.load(tmp_path / "out" / "b.npy")
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats.transpose(2, 0, 1), want, atol=2e-3)
    with h5py.File(tmp_path / "out" / "c.h5") as file:
        np.testing.assert_array_equal(file["r"][()], held["cube"])  # pyright: ignore[reportIndexIssue]


def test_a_geotiff_keeps_its_corner(tmp_path: Path) -> None:
    values = np.rint(scene(4)).astype(np.uint16)
    place = rasterio.Affine(10, 0, 600000, 0, -10, 5000000)
    profile = {"driver": "GTiff", "count": 4, "height": 24, "width": 32, "dtype": "uint16"}
    with rasterio.open(tmp_path / "a.tif", "w", crs="EPSG:32633", transform=place, **profile) as file:
        file.write(values)
    code, output = invoke("upscale", tmp_path / "a.tif", *UPSCALE, "--out", tmp_path / "out")
    assert code == 0, output
    with rasterio.open(tmp_path / "out" / "a.tif") as file:
        assert file.crs.to_epsg() == 32633
        assert (file.transform.a, file.transform.c, file.transform.e, file.transform.f) == (
            5,
            600000,
            -5,
            5000000,
        )
        assert np.abs(file.read() - np.clip(expected(values), 0, None)).max() <= 0.51


def test_bad_bands_are_told_of(tmp_path: Path) -> None:
    values = scene(6)
    values[1], values[2], values[5] = np.nan, 0, np.nan
    np.save(tmp_path / "a.npy", values.transpose(1, 2, 0))
    code, output = invoke("upscale", tmp_path / "a.npy", *UPSCALE, "--out", tmp_path / "out")
    assert code == 0, output
    assert "bad bands took no part and are interpolated: 1-2, 5" in " ".join(output.split())
    result = np.load(tmp_path / "out" / "a.npy").transpose(2, 0, 1)
    assert np.isnan(result[[1, 5]]).all()
    assert (result[2] == 0).all()
    np.testing.assert_allclose(result[[0, 3, 4]], expected(values)[[0, 3, 4]], atol=2e-3)


@pytest.mark.parametrize(
    ("array", "extra", "said"),
    [
        (
            np.ones((12, 12, 5)),
            ["--method", "network", "--scale", "3"],
            "scene 'hyperspectral' has no trained network for x3",
        ),
        (np.ones((4, 12, 5)), [], "too few"),
        (np.ones((12, 12, 5), complex), [], "complex"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, array: np.ndarray, extra: list[str], said: str) -> None:
    np.save(tmp_path / "a.npy", array)
    code, output = invoke("upscale", tmp_path / "a.npy", *UPSCALE, *extra, "--out", tmp_path / "out")
    assert code == 2
    assert said in output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bands", [1, 3, 9])
def test_an_unknown_blur_is_estimated_and_undone(tmp_path: Path, bands: int) -> None:
    values = scene(bands, 48, 48)
    np.save(tmp_path / "a.npy", values.transpose(1, 2, 0))
    chosen = ("--scene", "hyperspectral", "--method", "fast", "--scale", "2", "--save-kernel")
    code, output = invoke("upscale", tmp_path / "a.npy", *chosen, "--out", tmp_path / "out")
    assert code == 0, output
    result, bicubic = np.load(tmp_path / "out" / "a.npy").transpose(2, 0, 1), expected(values)
    assert np.load(tmp_path / "out" / "a.kernel.npy").sum() == pytest.approx(1, abs=1e-3)
    away = np.abs(result - bicubic).mean() / np.ptp(values)
    assert 1e-4 < away < 0.05, "sharper than bicubic, and the same scene"


def test_a_network_restores_any_number_of_bands(tmp_path: Path) -> None:
    network = Eigenimages(ResidualNet(2, width=8, blocks=1, scale=2))
    with torch.no_grad():
        network.network.get_submodule("tail").bias.fill_(0.1)  # pyright: ignore
    weights = tmp_path / "network.pt"
    save_checkpoint(weights, Checkpoint(network.state_dict(), network.architecture))
    values = scene(5)
    np.save(tmp_path / "a.npy", values.transpose(1, 2, 0))
    unit = np.percentile(values, 99.9)
    chosen = ("--scene", "hyperspectral", "--scale", "2", "--set", f"scene.upscale.weights={weights}")
    code, output = invoke("upscale", tmp_path / "a.npy", *chosen, "--out", tmp_path / "out")
    assert code == 0, output
    result = np.load(tmp_path / "out" / "a.npy").transpose(2, 0, 1)
    with torch.no_grad():
        want = network(torch.from_numpy(values / unit).float()[None])[0].numpy() * unit
    np.testing.assert_allclose(result, want, atol=0.01)
    assert np.abs(want - expected(values)).max() > 1


def test_a_key_is_a_setting(tmp_path: Path) -> None:
    both = {"x": scene(3).transpose(1, 2, 0), "y": scene(4).transpose(1, 2, 0)}
    scipy.io.savemat(tmp_path / "a.mat", both)
    code, output = invoke("upscale", tmp_path / "a.mat", *UPSCALE, "--out", tmp_path / "out")
    assert code == 2
    assert "may both be the cube" in output
    code, output = invoke(
        "upscale", tmp_path / "a.mat", *UPSCALE, "--out", tmp_path / "out", "--set", "scene.files.key=y"
    )
    assert code == 0, output
    assert scipy.io.loadmat(tmp_path / "out" / "a.mat")["y"].shape == (48, 64, 4)
