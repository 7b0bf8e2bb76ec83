"""Whole runs through the command line's own path: record, pictures, resume, failures."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sr_lab.config.compose import compose, to_plain
from sr_lab.errors import UserError
from sr_lab.io.images import read_image
from sr_lab.run import run
from sr_lab.tracking.record import Record

TINY = [
    "experiment=smoke",
    "dataset.images.crop=[80,180,64,64]",
    "method.iterations=3",
    "method.ssim_iterations=2",
    "prior.first_update=2",
    "method.trace_every=1",
]


def do(tmp_path: Path, *overrides: str) -> tuple[Record, Path]:
    config = to_plain(compose([*TINY, f"out={tmp_path / 'runs'}", *overrides]))
    record, directory = run(config, command="sr-lab run ...")
    assert record is not None
    return record, directory


def test_a_run_leaves_a_whole_record(tmp_path: Path) -> None:
    record, directory = do(tmp_path)
    assert Record.read(directory) == record
    assert directory.parts[-3:] == ("smoke", record.signature, "seed0")
    assert record.labels == {
        "scene": "natural", "scale": 2, "dataset": "skimage", "degradation": "gaussian", "prior": "fkp",
        "backbone": "skip", "solver": "usrnet", "method": "zero_shot",
    }  # fmt: skip
    assert {"psnr_y", "psnr_y@dip", "psnr_y@bicubic", "kernel_psnr", "kernel_psnr_zero"} <= set(
        record.metrics
    )
    assert record.metrics["psnr_y"].mean == pytest.approx(record.metrics["psnr_y"].per_image["astronaut"])
    files = record.images["astronaut"]
    for name in ("lr", "bicubic", "sr", "hr", "kernel", "true_kernel", "figure", "trace"):
        path = getattr(files, name)
        assert path, name
        assert (directory / path).is_file(), name
    assert read_image(directory / str(files.sr)).pixels.shape == (64, 64, 3)
    assert np.load(directory / str(files.kernel)).shape == (11, 11)
    assert len((directory / str(files.trace)).read_text().splitlines()) == 4
    assert "protocol" in json.loads((directory / "result.json").read_text())["metrics"]["psnr_y"]


def test_the_same_run_is_not_done_twice_unless_forced(tmp_path: Path) -> None:
    _, directory = do(tmp_path)
    first = (directory / "result.json").stat().st_mtime_ns
    do(tmp_path)
    assert (directory / "result.json").stat().st_mtime_ns == first
    do(tmp_path, "force=true")
    assert (directory / "result.json").stat().st_mtime_ns > first


def test_same_seed_same_numbers_other_seed_others(tmp_path: Path) -> None:
    a = do(tmp_path / "a")[0].metrics["psnr_y@dip"].mean
    assert do(tmp_path / "b")[0].metrics["psnr_y@dip"].mean == pytest.approx(a, abs=1e-3)
    assert abs(do(tmp_path / "c", "seed=1")[0].metrics["psnr_y@dip"].mean - a) > 1e-3


def test_an_interrupted_run_goes_on_with_the_images_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = [
        "experiment=bicubic",
        "dataset.images.names=[cat,coffee]",
        "dataset.images.crop=[0,0,64,64]",
        "tracking=none",
    ]
    config: dict[str, Any] = to_plain(compose([*two, f"out={tmp_path}"]))
    from sr_lab.methods.interpolate import Interpolate

    restored: list[str] = []
    whole = Interpolate.restore

    def dying(self: Interpolate, sample: Any) -> Any:
        if restored:
            raise RuntimeError("the machine goes down")
        restored.extend(sample.image_ids)
        return whole(self, sample)

    monkeypatch.setattr(Interpolate, "restore", dying)
    with pytest.raises(RuntimeError, match="goes down"):
        run(config)
    assert not list(tmp_path.rglob("result.json")), "a record exists only if the run is whole"

    def counting(self: Interpolate, sample: Any) -> Any:
        restored.extend(sample.image_ids)
        return whole(self, sample)

    monkeypatch.setattr(Interpolate, "restore", counting)
    record, _ = run(config)
    assert record is not None
    assert restored == ["cat", "coffee"], "each image once over both attempts"
    assert set(record.metrics["psnr_y"].per_image) == {"cat", "coffee"}


def test_methods_see_the_same_inputs(tmp_path: Path) -> None:
    lrs = []
    for overrides in (
        TINY,
        ["experiment=bicubic", *TINY[1:2], "dataset.images.names=[astronaut]", "scale=2"],
    ):
        config = to_plain(compose([*overrides, f"out={tmp_path}", "tracking=none"]))
        record, directory = run(config)
        assert record is not None
        lrs.append(read_image(directory / str(record.images["astronaut"].lr)).pixels)
    np.testing.assert_array_equal(*lrs)


def test_a_flow_of_another_scale_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="trained for x3, the degradation is x2"):
        do(tmp_path, "prior.weights=fkp_x3")


def test_a_flow_serves_kernels_of_another_window(tmp_path: Path) -> None:
    record, _ = do(tmp_path, "degradation.kernels.size=13")
    assert record.metrics["kernel_psnr"].mean > 20


def test_wandb_offline_mirrors_the_record(tmp_path: Path) -> None:
    record, directory = do(tmp_path, "tracking=offline")
    assert not any("wandb" in note for note in record.notes), record.notes
    assert list(directory.glob("wandb/offline-run-*/run-*.wandb"))


def test_a_broken_tracker_costs_a_note_not_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def broken(**_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(wandb, "init", broken)
    record, directory = do(tmp_path, "tracking=offline")
    assert (directory / "result.json").exists()
    assert "disk full" in record.notes[-1]


@pytest.mark.slow
def test_two_processes_share_the_images(tmp_path: Path) -> None:
    import subprocess
    import sys

    arguments = [
        "run", "experiment=bicubic", "trainer=ddp_cpu", "tracking=none", "scale=2", "dataset.images.crop=[0,0,64,64]",
        f"out={tmp_path}",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "sr_lab", *arguments],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = tmp_path.rglob("result.json")
    assert set(Record.read(found).images) == {"astronaut", "cat", "coffee", "rocket"}


def test_sigterm_ends_a_sweep_that_a_shell_keeps_from_ctrl_c() -> None:
    program = (
        "import os, signal, time\n"
        "from sr_lab.commands.run import interruptible\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"  # as in `nohup sr-lab run -m ... &`
        "with interruptible():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(20)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    assert "goes on from here" in ended.stderr
