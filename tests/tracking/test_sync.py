from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sr_lab.cli import app
from sr_lab.errors import UserError
from sr_lab.tracking.record import Record
from sr_lab.tracking.sync import describe, find_pending, send

RUNNER = CliRunner()


@pytest.fixture
def waiting(record: Record, tmp_path: Path) -> Path:
    """wandb's folder of one offline run of 10 bytes, with a log that stays here."""
    folder = tmp_path / "wandb" / "offline-run-20261120_100000-x"
    for name, size in (("run-x.wandb", 10), ("logs/debug.log", 1000)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"0" * size)
    return folder


def test_what_waits_is_told_with_its_files(waiting: Path, tmp_path: Path) -> None:
    (pending,) = find_pending(tmp_path)
    assert {file.name for file in pending.files} == {
        "run-x.wandb", "result.json", "metrics.csv", "config.yaml", "weights.pt",
    }  # fmt: skip
    assert pending.size == sum(file.stat().st_size for file in pending.files) > 1010
    text = describe([pending])
    assert "study 0123456789 seed 3" in text
    assert "your default team/lab" in text
    assert "5 files  in 1 run" in text


def test_what_was_sent_does_not_wait(waiting: Path, tmp_path: Path) -> None:
    (waiting / "run-x.wandb.synced").touch()
    assert find_pending(tmp_path) == []
    assert "nothing waits" in RUNNER.invoke(app, ["sync", str(tmp_path)]).output


def test_nothing_goes_without_a_yes(waiting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("sr_lab.commands.sync.send", lambda one: sent.append(one.folder.name))
    monkeypatch.setattr("sr_lab.commands.sync.why_not_online", lambda: None)
    assert RUNNER.invoke(app, ["sync", str(tmp_path)], input="n\n").exit_code == 0
    assert sent == []
    result = RUNNER.invoke(app, ["sync", str(tmp_path)], input="y\n")
    assert sent == [waiting.name]
    assert "[1/1] sent study" in result.output
    RUNNER.invoke(app, ["sync", str(tmp_path), "--yes"])
    assert len(sent) == 2


def test_an_unreachable_server_is_said_before_wandb_tries(
    waiting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sr_lab.commands.sync.why_not_online", lambda: "no login")
    result = RUNNER.invoke(app, ["sync", str(tmp_path), "--yes"])
    assert isinstance(result.exception, UserError)
    assert "no login" in str(result.exception)


def test_wandb_sends_it_and_its_word_is_passed_on(
    waiting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def answer(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, "", "first\npermission denied\n")

    monkeypatch.setattr(subprocess, "run", answer)
    (pending,) = find_pending(tmp_path)
    with pytest.raises(UserError, match="permission denied"):
        send(pending)
    assert commands[0][1:] == ["-m", "wandb", "sync", str(waiting)]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find_pending(tmp_path / "none")
