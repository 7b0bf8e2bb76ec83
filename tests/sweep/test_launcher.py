"""The loop that brings jobs to their end, with launchers that do next to nothing."""

import sys
from pathlib import Path

import pytest

from sr_lab.errors import UserError
from sr_lab.sweep.job import Job
from sr_lab.sweep.launcher import run_jobs
from sr_lab.sweep.local import Local
from sr_lab.sweep.pool import Pool, gpus
from sr_lab.sweep.progress import Progress, duration, summary
from sr_lab.tracking.status import holding, read_status

OK = "open(sys.argv[1] + '/result.json', 'w').write('{}')"


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What each job does instead of a run, by its label."""
    todo: dict[str, str] = {}

    def command(job: Job, *_: object) -> list[str]:
        return [sys.executable, "-c", f"import os, sys, time; {todo.get(job.label, OK)}", str(job.folder)]

    monkeypatch.setattr("sr_lab.sweep.attempt.command", command)
    return todo


def jobs(root: Path, count: int, **facts: object) -> list[Job]:
    return [
        Job(f"runs/a/{i}/seed0", str(root), f"name: a{i}\n", f"{i:064d}", f"sr-lab run seed={i}", f"job{i}", **facts)  # pyright: ignore[reportArgumentType]
        for i in range(count)
    ]  # fmt: skip


def test_failures_stay_among_themselves_and_a_second_sweep_repairs(
    tmp_path: Path, code: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code |= {"job1": "raise SystemExit(1)", "job3": "os.kill(os.getpid(), 9)"}
    outcome = run_jobs(jobs(tmp_path, 5), Local(slots=2), Progress())
    assert sorted(outcome.failures) == ["runs/a/1/seed0", "runs/a/3/seed0"]
    told = capsys.readouterr().err
    assert "[5/5]" in told
    assert "2 failed" in told
    said = summary(outcome.ended, {"runs/a/1/seed0": "lr=3"}, outcome.before)
    assert said.startswith("3 complete, 2 failed\n  failed: lr=3: ended with exit code 1")
    assert "runs/a/1/seed0/log.txt" in said
    code.clear()
    again = run_jobs(jobs(tmp_path, 5), Local(slots=2), Progress())
    assert (len(again.failures), again.before) == (0, 3)


def test_retries_are_for_what_may_pass(tmp_path: Path, code: dict[str, str]) -> None:
    code["job0"] = f"{OK} if os.path.exists('second') else open('second', 'w') and sys.exit(1)"
    code["job1"] = "open('count', 'a').write('x'); sys.exit(1)"
    final = '{"reason": "bad", "detail": "", "final": true}'
    code["job2"] = (
        f"open('final', 'a').write('x'); open(sys.argv[1] + '/fault.json', 'w').write('{final}'); sys.exit(2)"
    )
    outcome = run_jobs(jobs(tmp_path, 3), Local(slots=1, retries=2), Progress())
    assert sorted(outcome.failures) == ["runs/a/1/seed0", "runs/a/2/seed0"]
    assert (tmp_path / "count").read_text() == "xxx"
    assert (tmp_path / "final").read_text() == "x"


def test_a_job_of_another_sweep_is_waited_for(tmp_path: Path, code: dict[str, str]) -> None:
    first, second = jobs(tmp_path, 2)
    code["job0"] = "raise SystemExit(9)"  # must not run: the other sweep completes it

    class Late(Local):
        def ended(self):
            found = super().ended()
            if any(job is second for job, _ in found):
                (first.folder / "result.json").write_text("{}")
            return found

    with holding(first.folder):
        outcome = run_jobs([first, second], Late(slots=2), Progress())
    assert not outcome.failures


def test_an_interruption_stops_jobs_and_says_so(tmp_path: Path, code: dict[str, str]) -> None:
    code |= {"job0": "time.sleep(60)", "job1": "time.sleep(60)"}

    class Impatient(Progress):
        def tick(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs(tmp_path, 3), Local(slots=2, grace_s=5), Impatient())
    assert [read_status(job.folder).state for job in jobs(tmp_path, 3)] == [
        "interrupted",
        "interrupted",
        "queued",
    ]


def test_gpus_are_dealt_out(tmp_path: Path, code: dict[str, str]) -> None:
    seen = "open('seen', 'a').write(os.environ['CUDA_VISIBLE_DEVICES'] + ' '); time.sleep(0.6); " + OK
    code |= {f"job{i}": seen for i in range(4)}
    run_jobs(jobs(tmp_path, 4, devices=2, accelerator="gpu"), Local(devices=[0, 1, 2, 3]), Progress())
    assert sorted((tmp_path / "seen").read_text().split()) == ["0,1", "0,1", "2,3", "2,3"]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"devices": 3, "accelerator": "cpu"}, "3 wanted, 2 CPU slots"),
        ({"devices": 2, "accelerator": "gpu"}, "2 wanted, 1 GPUs"),
        ({"nodes": 2}, "sweep=slurm"),
    ],
)
def test_what_can_never_start_is_said_before_anything_does(
    tmp_path: Path, facts: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        Local(slots=2, devices=[0]).check(jobs(tmp_path, 1, **facts))


def test_a_pool_shares_evenly() -> None:
    pool = Pool(["0", "1"], share=2)
    assert pool.take(1) == ["0"]
    assert pool.take(1) == ["1"]
    assert pool.take(2) == ["0", "1"]
    assert pool.take(1) is None
    pool.give(["1"])
    assert pool.take(2) is None
    assert pool.take(1) == ["1"]


def test_hidden_gpus_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-af")
    assert gpus() == ["3", "GPU-af"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0 s"), (99.0, "99 s"), (300.0, "5 min"), (8000.0, "2 h 13 min"), (2e5, "2 d 7 h")],
)
def test_durations_read_well(seconds: float, said: str) -> None:
    assert duration(seconds) == said
