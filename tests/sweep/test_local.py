"""Whole sweeps through the command line: isolation, repair, several processes a job, sudden death."""

import os
import random
import signal
import time

import psutil
import pytest
from sweeping import TINY, Lab

pytestmark = pytest.mark.slow


def of(statuses: list[dict[str, object]], word: str) -> dict[str, object]:
    """The one status whose reason has a word."""
    (found,) = [status for status in statuses if word in str(status["reason"])]
    return found


def test_each_failure_costs_only_itself_and_the_same_command_repairs_it(lab: Lab) -> None:
    lab.faults.touch()
    grid = [
        *("run", "-m", *TINY, "+method.fault=none,raise,memory,hang", "seed=0,1,2"),
        *("sweep.slots=2", "sweep.memory_mb=1500"),
    ]
    sweep = lab.start(*grid)
    mark = lab.marks / "hang-q0.000000-seed0-rank--cat"
    while not mark.exists():
        assert sweep.poll() is None, sweep.communicate()
        time.sleep(0.2)
    (hanging,) = [s for s in lab.statuses() if s["state"] == "running" and hangs(s["pid"])]
    psutil.Process(hanging["pid"]).kill()
    out, err = sweep.communicate(timeout=1500)
    assert sweep.returncode == 1, out + err
    assert len(lab.records()) == 9
    assert "9 complete, 3 failed" in out
    statuses = [status for status in lab.statuses() if status["state"] == "failed"]
    assert len(statuses) == 3
    assert "asked to fail" in str(of(statuses, "ValueError")["detail"])
    assert "sweep.memory_mb allows 1500" in str(of(statuses, "out of memory")["reason"])
    assert of(statuses, "killed by SIGKILL")["pid"] == hanging["pid"]
    for reason in ("ValueError: asked to fail", "out of memory: used", "killed by SIGKILL"):
        assert reason in out
    lab.faults.unlink()
    repaired = lab.do(*grid)
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert "12 complete (9 before), 0 failed" in repaired.stdout
    assert len(lab.records()) == 12
    assert {status["state"] for status in lab.statuses()} == {"complete"}


def hangs(pid: int) -> bool:
    environment = psutil.Process(pid).environ()
    return "fault=hang" in environment["SR_LAB_COMMAND"] and "seed=0" in environment["SR_LAB_COMMAND"]


def test_two_processes_a_job_see_one_config_and_leave_one_record(lab: Lab) -> None:
    done = lab.do(
        "run", "-m", *TINY, "trainer=ddp_cpu", "dataset.images.names=[cat,coffee]", "seed=0,1", "sweep.slots=2",
        "+method.quality=0.1,0.2",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(lab.records()) == 4
    for seed in (0, 1):
        for quality in ("0.100000", "0.200000"):
            marks = sorted(lab.marks.glob(f"none-q{quality}-seed{seed}-*"))
            assert {mark.name.split("-")[3] for mark in marks} == {"rank0", "rank1"}
            assert len({mark.read_text() for mark in marks}) == 1, "one frozen config"
    assert len({mark.read_text() for mark in lab.marks.iterdir()}) == 4


def test_a_killed_sweep_loses_nothing_and_lies_about_nothing(lab: Lab) -> None:
    grid = ["run", "-m", *TINY, "dataset.images.names=[cat,coffee]", "+method.quality=0,0.1", "seed=0,1,2"]
    grid.append("sweep.slots=2")
    undisturbed = lab.do(*grid, "out=calm")
    assert undisturbed.returncode == 0, undisturbed.stderr
    draw = random.Random(int(os.environ.get("SEED", "0")))
    started = time.monotonic()
    assert lab.do(*grid, "out=calm").returncode == 0
    idle = time.monotonic() - started
    for _ in range(10):
        sweep = lab.start(*grid)
        time.sleep(idle * draw.uniform(0.2, 2.0))
        workers = psutil.Process(sweep.pid).children(recursive=True) if sweep.poll() is None else []
        sweep.send_signal(signal.SIGKILL)
        sweep.communicate()
        _, alive = psutil.wait_procs(workers, timeout=20)
        assert not alive, "jobs die with their sweep"
    last = lab.do(*grid)
    assert last.returncode == 0, last.stdout + last.stderr
    assert lab.records() == lab.records("calm")
    assert {status["state"] for status in lab.statuses()} == {"complete"}
    assert not list((lab.root / "runs").rglob(".partial-*"))
