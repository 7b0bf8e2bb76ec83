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
    chosen = ["upscale", str(source), "--scene", "infrared", "--scale", "4", "--out", str(tmp_path / "out")]
    result = RUNNER.invoke(app, chosen)
    said = " ".join(result.output.split())
    assert result.exit_code == 2
    assert "c.png: the frame is in false colour" in said
    assert "hottest pixel" in said
    kelvin = tifffile.imread(tmp_path / "out" / "a_cK.tiff")
    assert (kelvin.shape, kelvin.dtype) == ((128, 160), np.uint16)
    assert abs(kelvin.mean() / scene().mean() - 1) < 5e-4
    assert np.asarray(Image.open(tmp_path / "out" / "b.png")).shape == (128, 160)
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


def test_diffusion_is_trained_guided_distilled_and_used(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    tifffile.imwrite(tmp_path / "frames" / "a_cK.tiff", scene(64, 72))
    frames = f"{{_target_: sr_lab.data.frames.Frames, root: {tmp_path / 'frames'}}}"
    shared = ["dataset=frames", f"dataset.images.root={tmp_path / 'frames'}", "scale=4"]
    shared += ["tracking=none", f"out={tmp_path / 'runs'}"]
    training = [
        *shared,
        "trainer=cpu",
        "trainer.max_steps=2",
        "trainer.batches_per_epoch=2",
        "method.warmup=1",
    ]
    training += ["dataset.patch_size=32", "+dataset.patches_per_batch=1", f"+dataset.validation={frames}"]
    small = [
        "backbone.width=8", "backbone.mult=[1,1]", "backbone.swin_width=8", "backbone.window=4", "backbone.built=8",
        "backbone.steps=3",
    ]  # fmt: skip

    def weights(*chosen: str) -> str:
        record, directory = run(to_plain(compose([*chosen, *training])))
        assert record is not None
        assert record.fit["steps"] == 2
        return f"backbone.weights={directory / 'weights.pt'}"

    base = weights("experiment=train_ir_diffusion", *small)
    terms = ["method.guidance.terms.features=0", "method.guidance.features=null"]
    guided = weights("experiment=train_ir_diffusion_guided", "method/guidance=injected", *terms, base)
    one_step = weights("experiment=train_ir_diffusion_onestep", guided)
    for chosen in (["method.steps=1"], ["method.consistency=0.5"]):
        used = [
            "experiment=diffusion",
            "scene=infrared",
            "degradation=bicubic",
            "trainer=cpu",
            one_step,
            *chosen,
        ]
        record, _ = run(to_plain(compose([*used, *shared])))
        assert record is not None
        assert record.metrics["psnr_grey"].mean > 20


def test_stripes_are_taken_off_and_told_of(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).normal(0, 60, 96)
    tifffile.imwrite(tmp_path / "a_cK.tiff", np.rint(scene(80, 96) + levels).astype(np.uint16))
    chosen = [
        "upscale",
        str(tmp_path / "a_cK.tiff"),
        "--scene",
        "infrared",
        "--scale",
        "2",
        "--method",
        "bicubic",
    ]

    def made(name: str, *more: str) -> tuple[np.ndarray, str]:
        result = RUNNER.invoke(app, [*chosen, "--out", str(tmp_path / name), *more])
        assert result.exit_code == 0, result.output
        return tifffile.imread(tmp_path / name / "a_cK.tiff").astype(float), " ".join(result.output.split())

    clean, told = made("off")
    striped, silent = made("on", "--set", "scene.upscale.destripe=null")
    assert "column stripes of" in told
    assert "column stripes of" not in silent
    assert np.diff(clean.mean(0)).std() < 0.5 * np.diff(striped.mean(0)).std()
    assert abs(clean.mean() - striped.mean()) < 1
