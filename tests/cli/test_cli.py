"""The command line as a person meets it: help, speed of start, errors, exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sr_lab.cli import app

RUNNER = CliRunner()


def sr_lab(*arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sr_lab", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["upscale"],
        ["report"],
        ["sync"],
        ["dashboard"],
        ["doctor"],
        ["weights"],
        ["weights", "import"],
        ["kernels"],
        ["study"],
        ["search"],
        ["runs"],
    ],
)
def test_every_command_has_help(command: list[str]) -> None:
    result = RUNNER.invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_run_help_lists_the_choices() -> None:
    result = RUNNER.invoke(app, ["run", "--help"])
    assert "double_dip" in result.output
    assert "experiment=smoke" in result.output


@pytest.mark.parametrize("statement", ["import sr_lab", "import sr_lab.cli"])
def test_import_brings_nothing_heavy(statement: str) -> None:
    heavy = ("torch", "numpy", "hydra", "wandb", "pydantic")
    code = f"{statement}; import sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_version() -> None:
    import sr_lab as package

    assert package.__version__ in RUNNER.invoke(app, ["--version"]).output


def test_a_user_error_is_one_paragraph_and_exit_code_2(tmp_path: Path) -> None:
    done = sr_lab("report", str(tmp_path))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert str(tmp_path) in done.stderr


def test_run_names_a_wrong_choice() -> None:
    done = sr_lab("run", "prior=fpk")
    assert done.returncode == 2
    assert done.stderr.startswith("sr-lab: prior: no prior named 'fpk'; did you mean 'fkp'?")


def test_multirun_repeats_over_a_grid(tmp_path: Path) -> None:
    done = sr_lab(
        "run", "-m", "experiment=bicubic", "dataset=skimage", "dataset.images.names=[cat]", "tracking=none",
        "dataset.images.crop=[100,100,64,64]", "scale=2,4", f"out={tmp_path}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.rglob("result.json"))) == 2


def test_doctor_names_a_fix_for_each_thing_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from sr_lab.commands.doctor import as_text, examine

    monkeypatch.setenv("SR_LAB_DATA", "/nowhere")
    findings = examine()
    assert all(finding.fix for finding in findings if finding.state != "ok")
    assert not any(finding.state == "broken" for finding in findings), as_text(findings)
    assert "SR_LAB_DATA" in as_text(findings)
