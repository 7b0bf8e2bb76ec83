"""What a directory says of its job, whoever died and however."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sr_lab.sweep.attempt import Attempt, Limits, child_environment, command
from sr_lab.sweep.job import Job
from sr_lab.tracking.status import Busy, Status, holding, locked, read_status, stored


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("runs/a/b/seed0", str(tmp_path), "name: a\n", "0" * 64, "sr-lab run", "")


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let jobs run a few lines instead of torch."""
    monkeypatch.setattr("sr_lab.sweep.attempt.command", lambda *_: [sys.executable, "-c", code])


def test_nothing_said_is_queued(tmp_path: Path) -> None:
    assert read_status(tmp_path).state == "queued"


def test_running_is_a_lock_not_a_word(tmp_path: Path) -> None:
    Status("running", pid=1).write(tmp_path)
    assert read_status(tmp_path).state == "interrupted"
    with holding(tmp_path) as had:
        assert had
        assert read_status(tmp_path).state == "running"
        with holding(tmp_path) as again:
            assert not again
    assert not locked(tmp_path)


def test_complete_is_a_record_not_a_word(tmp_path: Path) -> None:
    Status("complete").write(tmp_path)
    assert read_status(tmp_path).state == "interrupted"
    (tmp_path / "result.json").write_text("{}")
    Status("failed", reason="it was").write(tmp_path)
    assert read_status(tmp_path).state == "complete"


def test_a_broken_status_file_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"state": "runn')
    assert stored(tmp_path).state == "queued"


def test_the_lock_lives_as_long_as_the_last_process_of_the_job(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, "import time; time.sleep(60)")
    attempt = Attempt(job, Limits(grace_s=5))
    os.close(attempt._lock or -1)  # as if the launcher had died
    attempt._lock = None
    assert locked(job.folder)
    with pytest.raises(Busy):
        Attempt(job, Limits())
    attempt.kill()
    assert attempt.wait().reason.startswith("killed by SIGKILL")
    assert not locked(job.folder)


@pytest.mark.parametrize(
    ("code", "limits", "state", "said"),
    [
        ("raise SystemExit(3)", Limits(), "failed", "exit code 3"),
        ("pass", Limits(), "failed", "ended without a record"),
        ("import time; time.sleep(60)", Limits(timeout_s=0.4), "failed", "0.4 s that sweep.timeout_s allows"),
        ("x = b'x' * 2**28; import time; time.sleep(60)", Limits(memory_mb=100), "failed", "allows 100"),
        ("import os; os.kill(os.getpid(), 11)", Limits(), "failed", "killed by SIGSEGV"),
        ("import os; os.kill(os.getpid(), 15)", Limits(), "interrupted", "SIGTERM"),
        ("open('runs/a/b/seed0/result.json', 'w').write('{}')", Limits(), "complete", ""),
        (
            "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)",
            Limits(timeout_s=0.4, grace_s=0.4),
            "failed",
            "timeout_s",
        ),
    ],
)
def test_every_end_is_told(
    job: Job, monkeypatch: pytest.MonkeyPatch, code: str, limits: Limits, state: str, said: str
) -> None:
    stand_in(monkeypatch, code)
    status = Attempt(job, limits).wait()
    assert (status.state, said in status.reason) == (state, True), status
    assert read_status(job.folder) == status
    assert not locked(job.folder)


def test_a_fault_file_is_the_reason_and_is_gone_before_the_next_attempt(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = json.dumps({"reason": "ValueError: no", "detail": "line 1", "final": False})
    stand_in(monkeypatch, f"open('runs/a/b/seed0/fault.json', 'x').write({fault!r}); raise SystemExit(1)")
    assert Attempt(job, Limits()).wait().reason == "ValueError: no"
    stand_in(monkeypatch, "raise SystemExit(1)")
    status = Attempt(job, Limits()).wait()
    assert (status.attempt, "exit code 1" in status.reason) == (2, True)


def test_killing_takes_grandchildren_along(job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    child = f"import time; open({str(tmp_path / 'up')!r}, 'w'); time.sleep(60)"
    stand_in(
        monkeypatch,
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], start_new_session=True)",
    )
    attempt = Attempt(job, Limits())
    while not (tmp_path / "up").exists():
        time.sleep(0.05)
    attempt.kill()
    attempt.wait()
    assert not locked(job.folder)
    found = subprocess.run(["pgrep", "-f", str(tmp_path / "up")], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_a_job_knows_nothing_of_the_run_it_was_started_from(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "SLURM_NTASKS", "TORCHELASTIC_RUN_ID"):
        monkeypatch.setenv(key, "7")
    monkeypatch.setenv("RANKING", "kept")
    environment = child_environment(job, {"CUDA_VISIBLE_DEVICES": "1"})
    assert not {"RANK", "LOCAL_RANK", "MASTER_ADDR", "SLURM_NTASKS", "TORCHELASTIC_RUN_ID"} & set(environment)
    assert (environment["RANKING"], environment["CUDA_VISIBLE_DEVICES"]) == ("kept", "1")


def test_several_devices_go_through_torchrun(job: Job) -> None:
    assert command(job, 1)[1:3] == ["-m", "sr_lab.sweep.worker"]
    assert {"torch.distributed.run", "--standalone", "--nproc-per-node=2"} <= set(command(job, 2))
