"""A person's own radar images from the command line."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from typer.testing import CliRunner

from sr_lab.cli import app
from sr_lab.degradation.band import cut_band, occupied_band, shifted_band
from sr_lab.degradation.resample import imresize
from sr_lab.degradation.speckle import circular_gaussian

RUNNER = CliRunner()
UPSCALE = ("--scene", "sar", "--scale", "2")


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
    code, output = invoke("upscale", tmp_path / "a.npy", *UPSCALE, "--out", tmp_path / "out")
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
    code, output = invoke("upscale", tmp_path / "a.tif", *UPSCALE, *chosen, "--out", tmp_path / "out")
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
        (slc(), ["--method", "network"], "no trained network"),
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
