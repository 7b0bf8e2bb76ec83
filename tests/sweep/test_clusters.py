"""The same grid on a real Slurm and a real Ray: the same records as on this machine. Skipped where there is none."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sweeping import TINY, Lab

from sr_lab.tracking.status import read_status

pytestmark = pytest.mark.slow
GRID = [*TINY, "trainer=cpu", "+method.quality=0,0.1", "seed=0,1"]


@pytest.fixture
def slurm() -> None:
    pytest.importorskip("submitit", reason="the extra 'slurm' is not installed")
    if shutil.which("squeue") is None:
        pytest.skip("no Slurm on this machine")
    if subprocess.run(["sinfo"], capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("Slurm does not answer: set SLURM_CONF and start it")


@pytest.fixture
def ray(lab: Lab) -> Iterator[str]:
    """A head on 127.0.0.1, of this test alone."""
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    program = [sys.executable, "-m", "ray.scripts.scripts"]
    environment = {**lab.environment, "RAY_AUTH_MODE": "disabled"}
    lab.environment["RAY_AUTH_MODE"] = "disabled"
    started = subprocess.Popen(
        [*program, "start", "--head", "--block", "--node-ip-address=127.0.0.1", "--port=6399", "--num-cpus=2",
         "--include-dashboard=false", "--disable-usage-stats", "--object-store-memory=100000000"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield "127.0.0.1:6399"
    started.terminate()
    started.wait(60)


def equal_to_local(lab: Lab) -> None:
    local = lab.do("run", "-m", *GRID, "out=local")
    assert local.returncode == 0, local.stderr
    assert lab.records() == lab.records("local")
    assert len(lab.records()) == 4


def test_slurm_runs_an_array(lab: Lab, slurm: None) -> None:
    done = lab.do("run", "-m", *GRID, "sweep=slurm", "sweep.cpus=1", "sweep.minutes=30", timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    places = {str(status["place"]).split("_")[0] for status in lab.statuses()}
    assert len(places) == 1, "one array"
    equal_to_local(lab)


def test_a_preempted_slurm_job_is_requeued_and_goes_on(lab: Lab, slurm: None) -> None:
    """Its sweep is killed meanwhile, and finds it again in the queue."""
    grid = [
        "run", "-m", *TINY, "trainer=cpu", "dataset.images.names=[cat,coffee,rocket]", "+method.pause=20",
        "seed=0", "sweep=slurm", "sweep.cpus=1", "sweep.minutes=30", "sweep.grace_s=5",
    ]  # fmt: skip
    sweep = lab.start(*grid)
    await_(lambda: list(lab.root.rglob("measures.json")), sweep)
    (status,) = lab.statuses()
    identity = str(status["place"]).split()[-1]
    sweep.kill()
    sweep.communicate()
    subprocess.run(["scancel", "--signal=USR2", identity], check=True)
    (folder,) = {path.parent for path in (lab.root / "runs").rglob("status.json")}
    await_(lambda: read_status(folder).state == "interrupted")
    assert "preempted" in read_status(folder).reason
    again = lab.start(*grid)
    # Slurm lets a requeued job wait for two minutes
    await_(lambda: release(identity), again)
    out, err = again.communicate(timeout=900)
    assert again.returncode == 0, out + err
    (final,) = lab.statuses()
    assert final["place"] == f"Slurm job {identity}", "the same job, not another one"
    assert (final["state"], final["attempt"]) == ("complete", 2)
    (record,) = lab.records().values()
    assert set(record["images"]) == {"cat", "coffee", "rocket"}
    lines = (folder / "steps.jsonl").read_text().splitlines()
    assert len(lines) == 3, "no image that was whole was restored again"


def test_ray_runs_the_grid(lab: Lab, ray: str) -> None:
    done = lab.do("run", "-m", *GRID, "sweep=ray", f"sweep.address={ray}", timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(str(status["place"]).startswith("Ray node") for status in lab.statuses())
    equal_to_local(lab)


def release(identity: str) -> bool:
    done = subprocess.run(
        ["scontrol", "update", f"JobId={identity}", "StartTime=now"], capture_output=True, check=False
    )
    return done.returncode == 0


def await_(condition: Any, process: "subprocess.Popen[str] | None" = None, seconds: float = 400) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate() if process else ""
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.3)
