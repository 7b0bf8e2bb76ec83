from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sr_lab.report.failures import find_failures
from sr_lab.report.render import write_report

CONFIG = "seed: 3\nscale: 2\nmethod: {name: zero_shot}\nprior: {name: fkp}\nbackbone: null\n"


def _folder(root: Path, name: str, status: dict[str, Any] | None = None, config: str | None = CONFIG) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    if config is not None:
        (folder / "config.yaml").write_text(config, encoding="utf-8")
    if status is not None:
        (folder / "status.json").write_text(json.dumps(status), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"state": "failed", "reason": "killed by signal 9"}, "killed by signal 9"),
        ({"state": "interrupted", "reason": "SIGTERM"}, "interrupted: SIGTERM"),
        ({"state": "running", "reason": ""}, "its process is gone"),
        (None, "no record, and no word of why: interrupted, or still at work"),
    ],
)
def test_what_became_of_a_run_is_said(tmp_path: Path, status: dict[str, Any] | None, reason: str) -> None:
    _folder(tmp_path, "a/b", status)
    (failure,) = find_failures(tmp_path)
    assert (failure.name, failure.reason) == ("a/b", reason)
    assert failure.title == "fkp · zero_shot · scale 2 · seed 3"


def test_what_waits_works_or_is_whole_has_not_failed(tmp_path: Path) -> None:
    _folder(tmp_path, "waits", {"state": "queued"})
    _folder(tmp_path, "pruned", {"state": "pruned"})
    (_folder(tmp_path, "whole") / "result.json").write_text("{}", encoding="utf-8")
    _folder(tmp_path, "another's", config="name: something else\n")
    works = _folder(tmp_path, "works", {"state": "running"})
    with (works / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert find_failures(tmp_path) == []
    assert [failure.name for failure in find_failures(tmp_path)] == ["works"]


def test_broken_files_are_no_end(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path, "a", {"state": "failed", "reason": "x", "detail": "\n".join(map(str, range(50)))}
    )
    (folder / "config.yaml").write_text("{[", encoding="utf-8")
    (failure,) = find_failures(tmp_path)
    assert failure.detail.splitlines() == [str(n) for n in range(38, 50)]


def test_the_report_lists_them(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("fine")
    _folder(tmp_path / "runs", "bad", {"state": "failed", "reason": "out of <memory>", "detail": "last line"})
    report = write_report(tmp_path / "runs")
    page = report.html.read_text(encoding="utf-8")
    assert "out of &lt;memory&gt;" in page
    assert "last line" in page
    assert 'href="#failed"' in page
    assert "out of &lt;memory&gt;" in report.markdown.read_text(encoding="utf-8")
