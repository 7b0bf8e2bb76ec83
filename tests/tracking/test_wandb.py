"""wandb's offline files are read back with its own reader; nothing here reaches a network."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wandb

from sr_lab.config.schema import TrackingSettings
from sr_lab.tracking import wandb as tracking_wandb
from sr_lab.tracking.record import Record
from sr_lab.tracking.wandb import mirror, why_not_online

KEY = "0123456789" * 4


@pytest.fixture(autouse=True)
def unreachable(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A server that refuses, no login from this machine's home, and no variable of a sweep around us."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(home))
    for name in ("WANDB_API_KEY", "WANDB_RUN_GROUP", "WANDB_DATA_DIR", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    wandb.teardown()  # it reads the environment once
    yield
    wandb.teardown()


def _settings(**changes: Any) -> TrackingSettings:
    return TrackingSettings.model_validate({"name": "offline", "mode": "offline"} | changes)


def _read_back(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """Entries of the one offline run, by type."""
    (path,) = directory.glob("wandb/offline-run-*/run-*.wandb")
    done = subprocess.run(
        [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        found[entry["type"]].append(entry.get(entry["type"], {}))
    return found


def test_an_offline_run_holds_all_of_the_record(record: Record, tmp_path: Path) -> None:
    assert mirror(record, tmp_path, _settings(tags=["a"])) is None
    found = _read_back(tmp_path)
    (run,) = found["run"]
    assert run["run_id"] == "0123456789-s3"
    assert (run["run_group"], run["job_type"], run["project"]) == ("study", "zero_shot", "sr_lab")
    assert run["config"]["update"]["prior"] == {"name": "fkp"}
    rows = [entry["item"] for entry in found["history"]]
    losses = [
        (row["optimisation/step"], row["optimisation/loss"]) for row in rows if "optimisation/loss" in row
    ]
    assert losses == [(0, 2), (10, 1)]
    assert "optimisation/psnr_y" not in rows[1], "NaN is no value"
    assert rows[0]["optimisation/psnr_y/cat"] == 20
    assert [row["training/l1"] for row in rows if "training/l1" in row] == [0.5]
    assert [
        (row["training/step"], row["training/val_psnr"]) for row in rows if "training/val_psnr" in row
    ] == [(99, 26.5)]
    summary = {key: value for entry in found["summary"] for key, value in entry.get("update", {}).items()}
    assert summary["metric/psnr_y"] == 25
    assert summary["label/prior"] == "fkp"
    assert summary["seconds_per_image"] == 1.5
    artifacts = {entry["type"]: entry for entry in found["artifact"]}
    assert artifacts["model"]["name"] == "study-0123456789-s3-model"
    kept = {part["path"] for part in artifacts["record"]["manifest"]["contents"]}
    assert kept == {"result.json", "metrics.csv", "config.yaml"}
    # sent from where they lie, and nothing staged outside the run
    places = {
        part["local_path"] for kind in ("record", "model") for part in artifacts[kind]["manifest"]["contents"]
    }
    assert all(Path(place).is_relative_to(tmp_path) for place in places)
    files = {entry["files"][0]["path"].rpartition("_")[0].rpartition("_")[0] for entry in found["files"]}
    assert {"media/images/images/astronaut", "media/images/kernels/cat", "media/table/per_image"} <= files


def test_online_without_login_or_network_is_offline_with_a_warning(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # what cannot be reached is found before wandb is told anything; its own files are those of the test above
    told: list[str] = []
    monkeypatch.setattr(tracking_wandb, "_mirror", lambda *arguments: told.append(arguments[-1]))
    note = mirror(record, tmp_path, _settings(mode="online"))
    assert note == "wandb (online): no login (`wandb login`); kept offline, `sr-lab sync` sends it later"
    assert note in caplog.text
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    wandb.teardown()
    assert "127.0.0.1:9 does not answer" in str(mirror(record, tmp_path, _settings(mode="online")))
    assert told == ["offline", "offline"]


def test_a_server_that_fails_us_later_costs_a_note(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def failing(*arguments: Any) -> None:
        told.append(arguments[-1])
        if arguments[-1] == "online":
            raise ConnectionError("gone")

    monkeypatch.setattr(tracking_wandb, "why_not_online", lambda: None)
    monkeypatch.setattr(tracking_wandb, "_mirror", failing)
    note = mirror(record, tmp_path, _settings(mode="online"))
    assert note == "wandb (online): ConnectionError: gone; kept offline, `sr-lab sync` sends it later"
    assert told == ["online", "offline"]


def test_nothing_is_imported_when_it_is_disabled(record: Record, tmp_path: Path) -> None:
    assert mirror(record, tmp_path, _settings(mode="disabled")) is None
    assert not (tmp_path / "wandb").exists()


def test_an_answer_of_any_kind_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(403)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    monkeypatch.setattr(wandb, "login", lambda **_: True)
    # as metrics without network leave it behind: a shared opener with a proxy that is long gone
    dead = urllib.request.build_opener(urllib.request.ProxyHandler({"http": "http://127.0.0.1:9"}))
    monkeypatch.setattr(urllib.request, "_opener", dead)
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = SimpleNamespace(base_url=f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(wandb, "setup", lambda **_: SimpleNamespace(settings=settings))
        assert why_not_online() is None
        server.shutdown()


@pytest.mark.slow
def test_a_whole_run_without_network_finishes_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    done = subprocess.run(
        [
            sys.executable, "-m", "sr_lab", "run", "experiment=bicubic", "tracking=online", f"out={tmp_path}",
            "dataset.images.names=[cat]", "dataset.images.crop=[0,0,64,64]", "scale=2",
        ],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "does not answer" in done.stderr
    (path,) = tmp_path.rglob("result.json")
    assert "kept offline" in Record.read(path).notes[-1]
    assert _read_back(path.parent)["run"]
