"""The wheel carries conf/ and the weights, and runs from another folder."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.wheel
def test_the_wheel_holds_what_it_needs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "conf").rglob("*.yaml"):
        assert f"sr_lab/{path.relative_to(ROOT).as_posix()}" in names
    for name in ("manifest.json", "fkp_x2.pt", "fkp_x3.pt", "fkp_x4.pt", "usrnet_small.pt"):
        assert f"sr_lab/weights/{name}" in names
    assert "sr_lab/report/templates/report.html.j2" in names
    assert "sr_lab/py.typed" in names
    assert not any(name.startswith(("tests/", "experiments/")) for name in names)


@pytest.mark.wheel
def test_an_installed_wheel_runs_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """Unpacked apart from the checkout, with the dependencies of this environment."""
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    (work / "mine" / "prior").mkdir(parents=True)
    (work / "mine" / "prior" / "mine.yaml").write_text(
        "name: mine\n_target_: sr_lab.priors.softmax.Softmax\nlr: 0.25\n"
    )
    # -P keeps the current folder out; the unpacked wheel goes before the editable install
    launch = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import sr_lab; from sr_lab.cli import main;"
        f"assert sr_lab.__file__.startswith({str(site)!r}); main()"
    )
    arguments = [
        "run", "experiment=smoke", "prior=mine", "--config-dir", "mine", "out=runs",
        "method.iterations=2", "method.ssim_iterations=1",
        "dataset.images.crop=[80,180,64,64]",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-P", "-c", launch, *arguments],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((work / "runs").rglob("result.json"))) == 1
