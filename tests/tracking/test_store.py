"""The index says what the files say, however often they change; `sr-lab runs` on top of it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sr_lab.cli import app
from sr_lab.errors import UserError
from sr_lab.tracking.record import Measures, Record
from sr_lab.tracking.status import Status, holding
from sr_lab.tracking.store import INDEX, open_index, query


def leave(root: Path, signature: str, seed: int = 0, psnr: float = 30.0, **config: Any) -> Path:
    """A run directory with a record."""
    folder = root / "study" / signature / f"seed{seed}"
    folder.mkdir(parents=True)
    settings = {"name": "study", "seed": seed, "scale": 2, "method": {"lr": 0.1, "flag": True}, **config}
    record = Record(
        name="study", signature=signature, seed=seed, status="complete", labels={"scale": settings["scale"]},
        command="", created="2026-01-01", config=settings, code={}, versions={}, device="cpu", seconds=2.0,
        peak_memory_mb=1.0, metrics={"psnr_y": Measures(psnr, "p", True, "dB", {"cat": psnr - 1, "dog": psnr + 1})},
    )  # fmt: skip
    record.write(folder)
    return folder


def listed(root: Path, *arguments: str) -> list[list[str]]:
    result = CliRunner().invoke(app, ["runs", str(root), *arguments, "--csv"], catch_exceptions=False)
    return [line.split(",") for line in result.output.splitlines()]


def dump(root: Path, rebuild: bool = False) -> list[str]:
    return list(open_index(root, rebuild).iterdump())


def test_the_index_follows_the_files(tmp_path: Path) -> None:
    first = leave(tmp_path, "aa")
    leave(tmp_path, "bb", psnr=31.0)
    assert query(tmp_path, "SELECT count(*) FROM measures")[1] == [(6,)]
    record = Record.read(first)
    dataclasses.replace(record, seconds=12345.0).write(first)
    assert query(tmp_path, "SELECT seconds FROM runs ORDER BY 1")[1] == [(2.0,), (12345.0,)]
    (first / "result.json").unlink()
    assert query(tmp_path, "SELECT directory FROM runs")[1] == [("study/bb/seed0",)]
    leave(tmp_path, "cc", scale=4)
    kept = dump(tmp_path)
    assert sorted(kept) == sorted(dump(tmp_path, rebuild=True))


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    leave(tmp_path, "aa")
    dump(tmp_path)
    (tmp_path / INDEX).write_bytes(b"not a database, and long enough to be taken for one" * 50)
    assert query(tmp_path, "SELECT count(*) FROM runs")[1] == [(1,)]


def test_jobs_without_a_record_are_runs_too(tmp_path: Path) -> None:
    leave(tmp_path, "aa")
    failed = tmp_path / "study" / "bb" / "seed0"
    failed.mkdir(parents=True)
    (failed / "config.yaml").write_text("seed: 0\nscale: 4\n")
    Status("failed", reason="out of memory", seconds=3.0).write(failed)
    rows = listed(tmp_path)
    assert rows[0] == ["run", "scale", "state", "seconds", "reason", "psnr_y"]
    assert rows[2] == ["study/bb/seed0", "4", "failed", "3.0", "out of memory", ""]
    with holding(failed):
        assert listed(tmp_path, "state=running")[1][0] == "study/bb/seed0"
    assert listed(tmp_path, "state=failed")[1][0] == "study/bb/seed0"


def test_a_record_that_cannot_be_read_is_shown_as_such(tmp_path: Path) -> None:
    folder = leave(tmp_path, "aa")
    data = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**data, "format": 99}))
    assert listed(tmp_path, "--columns", "state,reason")[1][1] == "unreadable"


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (["scale=2"], "ab"), (["scale=2,4"], "abc"), (["psnr_y>30"], "bc"), (["psnr_y>=30", "scale!=4"], "ab"),
        (["method.lr<0.2"], "ab"), (["method.flag=true"], "abc"), (["signature=aa,cc"], "ac"), (["seed=1"], ""),
    ],
)  # fmt: skip
def test_filters(tmp_path: Path, filters: list[str], left: str) -> None:
    leave(tmp_path, "aa")
    leave(tmp_path, "bb", psnr=31.0)
    leave(tmp_path, "cc", psnr=32.0, scale=4, method={"lr": 0.5, "flag": True})
    assert [row[0][6] for row in listed(tmp_path, *filters)[1:]] == list(left)


def test_sorting_and_columns(tmp_path: Path) -> None:
    leave(tmp_path, "aa")
    leave(tmp_path, "bb", psnr=31.0)
    rows = listed(tmp_path, "--sort=-psnr_y", "--columns", "method.lr,psnr_y")
    assert rows == [
        ["run", "method.lr", "psnr_y"],
        ["study/bb/seed0", "0.1", "31.0"],
        ["study/aa/seed0", "0.1", "30.0"],
    ]


def test_the_difference_of_two_runs(tmp_path: Path) -> None:
    leave(tmp_path, "aa")
    leave(tmp_path, "bb", psnr=31.0, method={"lr": 0.2, "flag": True})
    rows = listed(tmp_path, "--diff")
    assert rows[1] == ["method.lr", "0.1", "0.2"]
    assert ["psnr_y", "30.0", "31.0"] in rows
    assert not any(row[0] == "scale" for row in rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sclae=2"], "did you mean 'scale'"),
        (["scale"], "not a filter"),
        (["--sort", "psnr"], "did you mean 'psnr_y'"),
        (["--diff"], "1 answer"),
        (["--sql", "SELECT x FROM runs"], "no such column"),
        (["--sql", "DELETE FROM runs"], "readonly"),
    ],
)
def test_what_cannot_be_shown_is_explained(tmp_path: Path, arguments: list[str], said: str) -> None:
    leave(tmp_path, "aa")
    with pytest.raises(UserError, match=said):
        listed(tmp_path, *arguments)
