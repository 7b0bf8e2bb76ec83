"""Kernels of one's own, the whole way a person goes: check, train, sample, evaluate, upscale, run."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from reference.kernel_pool import blob, write_pool
from typer.testing import CliRunner

from sr_lab.cli import app
from sr_lab.errors import UserError
from sr_lab.io.images import read_image, write_image
from sr_lab.io.kernels import read_kernels
from sr_lab.weights.store import all_entries

RUNNER = CliRunner()


def sr_lab(*arguments: str | Path) -> tuple[int, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, UserError):
        return 2, f"sr-lab: {result.exception}"
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def train(folder: Path, out: Path, *more: str) -> tuple[int, str]:
    return sr_lab(
        "run", "experiment=train_fkp_files", f"method.kernels.path={folder}", "scale=2", "save_weights=mine",
        f"out={out}", "tracking=none", "trainer.max_epochs=2", "method.kernels_per_epoch=100", "method.hidden=4",
        *more,
    )  # fmt: skip


def run_on(folder: Path, out: Path, *more: str) -> tuple[int, str]:
    return sr_lab(
        "run", "experiment=smoke", "degradation=kernel_files", f"degradation.kernels.path={folder}",
        "prior.weights=mine", f"out={out}", "dataset.images.crop=[80,180,64,64]", "method.iterations=2",
        "method.ssim_iterations=1", "prior.first_update=1", *more,
    )  # fmt: skip


def test_the_whole_way(tmp_path: Path) -> None:
    folder = write_pool(tmp_path / "kernels", 8, (9, 12, 15))
    code, said = train(folder, tmp_path / "runs")
    assert code == 0, said
    assert "val_nll" in said
    assert "'mine' in `sr-lab weights list`" in said
    _, entry = all_entries()["mine"]
    assert (entry.kind, entry.notes.partition(",")[0]) == ("fkp", "FKP flow for 15x15 kernels at x2")
    assert "6 kernels of your own" in entry.notes
    assert "train_fkp_files" in entry.source
    # a run that is whole keeps its weights under another name without training again
    code, said = train(folder, tmp_path / "runs", "save_weights=again")
    assert code == 0, said
    assert all_entries()["again"][1].notes == entry.notes

    code, said = sr_lab("kernels", "sample", "mine", "--count", "5", "--out", tmp_path / "drawn")
    assert code == 0, said
    assert [kernel.shape for _, kernel in read_kernels(tmp_path / "drawn")] == [(15, 15)] * 5
    assert read_image(tmp_path / "drawn.png").pixels.shape[2] == 1

    code, said = sr_lab("kernels", "evaluate", "mine", "--kernels", folder)
    assert code == 0, said
    flows = [" ".join(line.split()) for line in said.splitlines()]
    assert flows[1].startswith("mine 15 not learned from 2")
    assert flows[2].startswith("mine 15 learned from 6")
    assert flows[3].startswith("fkp_x2 11 not learned from")
    assert "held out or new for mine: " in said

    write_image(tmp_path / "photo.png", np.random.default_rng(0).random((40, 36, 3)).astype(np.float32))
    few = (
        "--set",
        "method.iterations=2",
        "--set",
        "method.ssim_iterations=1",
        "--set",
        "prior.first_update=1",
    )
    code, said = sr_lab(
        "upscale", tmp_path / "photo.png", "--scale", "2", "--out", tmp_path / "sr", "--prior-weights", "mine",
        "--save-kernel", *few,
    )  # fmt: skip
    assert code == 0, said
    assert read_image(tmp_path / "sr" / "photo.png").pixels.shape == (80, 72, 3)
    assert np.load(tmp_path / "sr" / "photo.kernel.npy").shape == (15, 15)

    code, said = run_on(folder, tmp_path / "runs")
    assert code == 0, said
    assert "kernel_psnr" in said
    code, said = run_on(folder, tmp_path / "runs", "scale=4")
    assert code == 2
    assert "trained for x2" in said


def test_prior_weights_go_with_dip_fkp(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((16, 16, 3), np.float32))
    code, said = sr_lab("upscale", tmp_path / "a.png", "--method", "fast", "--prior-weights", "fkp_x4")
    assert code == 2
    assert "--method dip_fkp" in said
    code, said = sr_lab("upscale", tmp_path / "a.png", "--prior-weights", "it's, nothing=here")
    assert code == 2
    assert "no weights named 'it's, nothing=here'" in said


def test_check_says_what_becomes_of_each_kernel(tmp_path: Path) -> None:
    folder = write_pool(tmp_path / "kernels", 2, (9, 12))
    np.save(folder / "scaled.npy", 3 * blob(9, 4, 4, 1))
    np.save(folder / "wide.npy", blob(33, 16, 16, 6))
    (folder / "broken.npy").write_bytes(b"no kernel")
    code, said = sr_lab(
        "kernels", "check", folder, "--scale", "2", "--size", "13", "--out", tmp_path / "sheet.png"
    )
    assert code == 1
    lines = {line.split()[0]: " ".join(line.split()) for line in said.splitlines() if line.strip()}
    assert "pad to 13, move by -0.50, -0.50 px" in lines["k00"]
    assert "pad to odd, crop" not in lines["k01"]
    assert "pad to odd" in lines["k01"]
    assert "divide by the sum" in lines["scaled"]
    assert "REFUSED" in lines["wide"]
    assert "REFUSED" in lines["broken"]
    assert "3 of 5 kernels can be used, in a window of 13 px at x2" in said
    assert (tmp_path / "sheet.png").exists()
    code, said = sr_lab("kernels", "check", tmp_path / "nothing", "--scale", "2")
    assert code == 2
    assert "nothing" in said


@pytest.mark.parametrize("command", [[], ["check"], ["sample"], ["evaluate"]])
def test_help(command: Sequence[str]) -> None:
    code, said = sr_lab("kernels", *command, "--help")
    assert code == 0
    assert "Usage" in said
