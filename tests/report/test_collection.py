from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sr_lab.errors import UserError
from sr_lab.report.collection import collect


def test_finds_runs_at_any_depth_and_lists_what_is_no_record(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    make_run("one/deep/seed0")
    make_run("one/deep/seed1", seed=1)
    bad = tmp_path / "runs" / "bad" / "result.json"
    bad.parent.mkdir()
    bad.write_text("{", encoding="utf-8")
    found = collect(tmp_path / "runs")
    assert [run.name for run in found.runs] == ["one/deep/seed0", "one/deep/seed1"]
    assert [file for file, _ in found.unreadable] == ["bad/result.json"]
    assert "not a readable record" in found.unreadable[0][1]
    assert not found.superseded


@pytest.mark.parametrize("newest", ["first", "second", "third"])
def test_of_the_same_run_twice_the_newer_counts(
    make_run: Callable[..., Path], tmp_path: Path, newest: str
) -> None:
    for name in ("first", "second", "third"):
        make_run(name, created="2026-11-21" if name == newest else "2026-11-20")
    found = collect(tmp_path / "runs")
    assert [run.name for run in found.runs] == [newest]
    assert {older.name for older, _ in found.superseded} == {"first", "second", "third"} - {newest}
    assert {newer.name for _, newer in found.superseded} == {newest}


def test_another_seed_signature_or_label_is_another_run(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    make_run("a")
    make_run("b", seed=1)
    make_run("c", signature="ffff")
    make_run("d", labels={"prior": "dkp"})
    assert len(collect(tmp_path / "runs").runs) == 4


def test_no_record_is_an_error_that_tells_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        collect(tmp_path / "missing")
    with pytest.raises(UserError, match=r"no record of a run.*result\.json"):
        collect(tmp_path)
    (tmp_path / "result.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UserError, match="the first of 1 unreadable"):
        collect(tmp_path)
