"""Thermal frames from the command line: a person's own files, and a run that measures in their unit."""

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from typer.testing import CliRunner

from sr_lab.cli import app
from sr_lab.config.compose import compose, to_plain
from sr_lab.run import run

RUNNER = CliRunner()


def scene(height: int = 32, width: int = 40) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.rint(30000 + 700 * np.sin(rows / 6) * np.cos(columns / 8)).astype(np.uint16)


def test_own_frames_keep_depth_units_and_mean(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    tifffile.imwrite(source / "a_cK.tiff", scene())
    Image.fromarray((scene() // 200).astype(np.uint8)).save(source / "b.png")
    colours = np.dstack([scene() // 256, scene() // 999, 255 - scene() // 256]).astype(np.uint8)
    Image.fromarray(colours).save(source / "c.png")
    chosen = ["upscale", str(source), "--scene", "infrared", "--scale", "2", "--out", str(tmp_path / "out")]
    result = RUNNER.invoke(app, chosen)
    said = " ".join(result.output.split())
    assert result.exit_code == 2
    assert "c.png: the frame is in false colour" in said
    assert "hottest pixel" in said
    kelvin = tifffile.imread(tmp_path / "out" / "a_cK.tiff")
    assert (kelvin.shape, kelvin.dtype) == ((64, 80), np.uint16)
    assert abs(kelvin.mean() / scene().mean() - 1) < 5e-4
    assert np.asarray(Image.open(tmp_path / "out" / "b.png")).shape == (64, 80)
    assert not (tmp_path / "out" / "c.png").exists()


def test_a_run_measures_in_kelvin(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    tifffile.imwrite(tmp_path / "frames" / "a_cK.tiff", scene())
    chosen = [
        "scene=infrared", "experiment=bicubic", "dataset=frames", f"dataset.images.root={tmp_path / 'frames'}",
        "degradation=optical", "scale=2", "tracking=none", "trainer=cpu", f"out={tmp_path / 'runs'}",
    ]  # fmt: skip
    record, directory = run(to_plain(compose(chosen)))
    assert record is not None
    known = {"psnr_grey", "ssim_grey", "rmse_unit", "hot_spot", "hot_area", "drift", "consistency", "stripes"}
    assert known <= set(record.metrics)
    gain = np.subtract(*np.percentile(scene(), [99.9, 0.1])) / 100
    rmse = gain * 10 ** (-record.metrics["psnr_grey"].mean / 20)
    assert 0.5 * rmse < record.metrics["rmse_unit"].mean < 2 * rmse  # the border apart
    assert (directory / record.images["a_cK"].figure).exists()  # pyright: ignore[reportOperatorIssue]
