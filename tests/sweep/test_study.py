"""Sweeps and studies from the command line, in one process for speed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sweeping import TINY, Lab
from typer.testing import CliRunner

from sr_lab.cli import app
from sr_lab.errors import UserError

RUNNER = CliRunner()
STUDIES = Path(__file__).parents[2] / "experiments"
GRIDS = sorted(STUDIES.rglob("grid.yaml"))
HERE = ["sweep=in_process", "allow_targets=[sweeping.]"]
GRID = """
question: Does alignment matter?
base: [experiment=bicubic, tracking=none, trainer=cpu, "dataset.images.names=[cat,coffee]",
       "dataset.images.crop=[100,100,64,64]"]
factors:
  method.aligned: [true, false]
  scale: [2, 4]
exclude:
  - {method.aligned: false, scale: 4}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments" / "alignment").mkdir(parents=True)
    (tmp_path / "experiments" / "alignment" / "grid.yaml").write_text(GRID)
    return Path("experiments") / "alignment"


def cli(*arguments: str | Path) -> tuple[int, str]:
    result = RUNNER.invoke(app, list(map(str, arguments)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_a_study_is_planned_run_and_reported(study: Path) -> None:
    code, said = cli("study", study, "--dry-run", "sweep=in_process")
    assert code == 0
    assert "3 cells (full) x 1 seeds: 3 jobs\n0 complete, 3 to run, 1 at a time" in said
    assert "no past record" in said
    assert not Path("runs").exists(), "a plan leaves nothing"
    code, said = cli("study", study, "sweep=in_process")
    assert code == 0, said
    assert len(list(Path("runs/alignment").rglob("result.json"))) == 3
    assert "Does alignment matter" in said
    assert (study / "results" / "report.html").stat().st_size > 10_000
    code, said = cli("study", study, "--dry-run", "sweep=in_process", "dataset.seed=5")
    assert "from 3 past records; 3 of 3 jobs have their like among them" in said
    code, said = cli("study", study, "sweep=in_process")
    assert "3 complete (3 before), 0 failed" in said


def test_the_runs_of_a_study_are_one_group_in_wandb(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_RUN_GROUP", raising=False)
    wandb = pytest.importorskip("wandb")
    groups = []
    begin = wandb.init
    monkeypatch.setattr(wandb, "init", lambda **said: groups.append(said["group"]) or begin(**said))
    (study / "grid.yaml").write_text(GRID.replace("tracking=none", "tracking=offline"))
    assert cli("study", study, "sweep=in_process")[0] == 0
    (manifest,) = Path("runs/alignment/../sweeps").resolve().glob("*.json")
    assert groups == [f"runs-{manifest.stem}"] * 3
    assert "WANDB_RUN_GROUP" not in os.environ


def test_every_bad_cell_is_named_before_anything_runs(study: Path) -> None:
    file = study / "grid.yaml"
    file.write_text(GRID.replace("scale: [2, 4]", "scale: [2, 4, 99]"))
    with pytest.raises(UserError, match=r"2 of 5 cells are not valid:\n.*scale.*scale=99 seed=0; .*scale=99"):
        cli("study", study, "sweep=in_process")
    file.write_text(GRID + "comparisons: [{method: dip}]\n")
    with pytest.raises(UserError, match=r"comparisons\[0\]: no cell has method=dip. allowed: interpolate"):
        cli("study", study, "sweep=in_process")
    assert not Path("runs").exists()


@pytest.mark.parametrize("grid", GRIDS, ids=lambda path: path.parent.relative_to(STUDIES).as_posix())
def test_the_repositorys_grids_are_valid(grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = cli("study", grid.parent, "--dry-run", "sweep=in_process")
    assert code == 0, said
    assert "0 complete" in said


def test_a_smoke_grid_in_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAULTS", str(tmp_path / "faults"))
    (tmp_path / "faults").touch()
    grid = ["run", "-m", *TINY, "+method.fault=none,raise", *HERE]
    code, said = cli(*grid)
    assert code == 1
    assert "1 complete, 1 failed" in said
    assert "failed: +method.fault=raise: ValueError: asked to fail" in said
    (tmp_path / "faults").unlink()
    code, said = cli(*grid)
    assert code == 0
    assert "2 complete (1 before), 0 failed" in said
    assert "sr-lab run experiment=bicubic" in next(tmp_path.rglob("result.json")).read_text()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    code, said = cli(*grid, "force=true")
    assert "2 complete, 0 failed" in said
    assert all(path.stat().st_mtime_ns > time for path, time in before.items())


def test_cells_that_are_one_run_are_one_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, said = cli("run", "-m", *TINY, "trainer.threads=1,2", *HERE)
    assert "1 complete, 0 failed" in said


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["sweep=in_process", "sweep.retries=0,1"], "one launcher"),
        (["sweep.slots=0"], "sweep.slots: 0 is too few"),
        (["sweep.slot=2"], "did you mean 'sweep.slots'"),
        (["sweep.memory_mb=much"], r"sweep.memory_mb.*'much'"),
        (["sweep=in_process", "trainer=ddp_cpu"], "use sweep=local"),
        (["method.lr=interval(0,1)"], "sr-lab search"),
    ],
)
def test_a_fault_of_the_sweep_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        cli("run", "-m", *TINY, *overrides)
    assert not Path("runs").exists()


def test_the_sweep_process_stays_light(lab: Lab) -> None:
    code = (
        "import sys\n"
        "from sr_lab.sweep import local, multirun, study\n"
        "multirun.launcher_for([['experiment=smoke']])\n"
        "print([m for m in ('torch', 'pytorch_lightning', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.strip() == "[]"
