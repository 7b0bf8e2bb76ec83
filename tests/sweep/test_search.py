"""Spaces in Hydra's grammar; searches that find, prune and go on after a kill."""

import re
import signal
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from sweeping import TINY, Lab
from typer.testing import CliRunner

from sr_lab.cli import app
from sr_lab.errors import UserError
from sr_lab.sweep.freeze import Here
from sr_lab.sweep.job import Job
from sr_lab.sweep.search import Search, search
from sr_lab.sweep.space import read_space
from sr_lab.tracking.record import Measures, Record
from sr_lab.tracking.steps import report_step, reported

optuna = pytest.importorskip("optuna", reason="the extra 'search' is not installed")


def drawn(override: str, count: int = 60) -> list[Any]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = read_space([override, "seed=3"])
    values = []
    for _ in range(count):
        overrides = space.overrides(study.ask())
        assert overrides[0] == "seed=3"
        values.append(overrides[1].partition("=")[2])
    return values


def test_intervals_are_drawn_within_and_on_their_scale() -> None:
    values = sorted(float(value) for value in drawn("a=interval(1,3)"))
    assert 1 <= values[0] < 1.2 < 2.8 < values[-1] <= 3
    values = sorted(float(value) for value in drawn("a=tag(log,interval(1e-4,1))"))
    assert values[0] >= 1e-4
    assert values[30] < 0.1, "half of them below the geometric mean"
    assert set(drawn("a=int(interval(2,4))")) == {"2", "3", "4"}


def test_ranges_and_choices() -> None:
    assert set(drawn("a=range(0,7,3)")) == {"0", "3", "6"}
    assert set(drawn("prior=fkp,softmax")) == {"fkp", "softmax"}
    assert set(drawn("a=choice([1,2],x,3)")) == {"[1,2]", "x", "3"}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("a=3", "nothing to search"),
        ("a=interval(3,1)", "empty"),
        ("a=tag(log,interval(0,1))", "above 0"),
        ("a=[", "a="),
    ],
)
def test_what_cannot_be_searched_is_said(override: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        read_space([override])


def test_steps_of_fits_and_images(tmp_path: Path) -> None:
    assert reported(tmp_path, "psnr_y") == []
    for image, value in (("cat", 30.0), ("dog", 20.0), ("cat", 32.0)):
        report_step(tmp_path, {"psnr_y": value}, image=image)
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write('{"step": null, "ima')  # killed here
    assert reported(tmp_path, "psnr_y") == [(1, 32.0), (2, 26.0)]
    other = tmp_path / "fit"
    other.mkdir()
    report_step(other, {"val_psnr": 20.0}, step=100)
    report_step(other, {"val_psnr": 21.0}, step=200)
    assert reported(other, "val_psnr") == [(100, 20.0), (200, 21.0)]


def test_a_search_finds_and_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space = ["search", *TINY, "+method.quality=range(0.1,0.6,0.1)", "sweep=in_process"]
    first = CliRunner().invoke(app, [*space, "--trials", "3"], catch_exceptions=False)
    assert "3 trials done" in first.output
    second = CliRunner().invoke(app, [*space, "--trials", "6"], catch_exceptions=False)
    assert "6 trials done" in second.output
    (store,) = tmp_path.rglob("optuna.sqlite")
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{store}")
    assert len(study.trials) == 6
    best = min(study.trials, key=lambda trial: abs(trial.params["+method.quality"] - 0.3))
    assert study.best_value == best.value
    assert f"best psnr_y: {study.best_value:.6g}\nsr-lab run" in second.output
    with pytest.raises(UserError, match="did you mean 'psnr_y'"):
        CliRunner().invoke(app, [*space, "--metric", "psnr_z"], catch_exceptions=False)


@pytest.mark.slow
def test_two_processes_a_trial_see_one_draw_and_a_killed_search_goes_on(lab: Lab) -> None:
    space = [
        "search", *TINY, "trainer=ddp_cpu", "dataset.images.names=[cat,coffee]", "sweep.slots=2",
        "+method.quality=interval(0,1)", "--trials", "4", "--no-prune",
    ]  # fmt: skip
    first = lab.start(*space)
    while len(lab.records()) < 2:
        assert first.poll() is None, first.communicate()
        time.sleep(0.5)
    time.sleep(3)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = lab.do(*space)
    assert second.returncode == 0, second.stdout + second.stderr
    (store,) = lab.root.rglob("optuna.sqlite")
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{store}")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4, "the trial in flight went on"
    assert len(lab.records()) == 4
    for trial in study.trials:
        marks = list(lab.marks.glob(f"none-q{trial.params['+method.quality']:.6f}-*"))
        assert {re.findall("rank.", mark.name)[0] for mark in marks} == {"rank0", "rank1"}
        assert len({mark.read_text() for mark in marks}) == 1, "one frozen config"
    assert len({mark.read_text() for mark in lab.marks.iterdir()}) == 4


STAND_IN = """
import json, sys, time
folder, quality = sys.argv[1], float(sys.argv[2])
for image in ("cat", "dog"):
    line = {"step": None, "image": image, "values": {"psnr_y": -abs(quality - 0.3)}}
    open(folder + "/steps.jsonl", "a").write(json.dumps(line) + "\\n")
    time.sleep(1)
record = json.load(open("record.json"))
record["metrics"]["psnr_y"]["mean"] = -abs(quality - 0.3)
json.dump(record, open(folder + "/result.json", "w"))
"""


def test_hopeless_trials_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs report, wait a second, report again; four that have ended are enough to judge by."""
    record = Record(
        name="bicubic", signature="", seed=0, status="complete", labels={}, command="", created="", config={}, code={},
        versions={}, device="", seconds=1.0, peak_memory_mb=1.0, metrics={"psnr_y": Measures(0.0, "", True, "dB", {})},
    )  # fmt: skip
    record.write(tmp_path).rename(tmp_path / "record.json")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sr_lab.sweep.search.LOOK", 0.1)
    monkeypatch.setattr("sr_lab.sweep.search.freezer_for", lambda *_: nullcontext(Here()))

    def command(job: Job, *_: object) -> list[str]:
        return [sys.executable, "-c", STAND_IN, str(job.folder), job.command.rpartition("quality=")[2]]

    monkeypatch.setattr("sr_lab.sweep.attempt.command", command)
    found = search(Search([*TINY, "+method.quality=interval(0,1)", "sweep.slots=4"], trials=12))
    states = [status.state for status in found.ended.values()]
    assert states.count("pruned") >= 1
    assert states.count("complete") + states.count("pruned") == 12
    pruned = [status for status in found.ended.values() if status.state == "pruned"]
    assert all("behind the median" in status.reason for status in pruned)
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{found.store / 'optuna.sqlite'}")
    assert [trial.state.name for trial in study.trials].count("PRUNED") == len(pruned)
    assert (
        study.best_value
        == found.best
        == max(trial.value for trial in study.trials if trial.state.name == "COMPLETE")
    )
