"""An SQLite index of the runs below a folder. The files are the truth; the index is rebuilt from them at will."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sr_lab.errors import UserError
from sr_lab.tracking.record import RESULT, Record
from sr_lab.tracking.status import STATUS, read_status

INDEX = ".runs.sqlite"
FORMAT = 1
SCHEMA = """
CREATE TABLE runs (directory TEXT PRIMARY KEY, stamp TEXT, state TEXT, reason TEXT, name TEXT, signature TEXT,
    seed INTEGER, created TEXT, seconds REAL, peak_memory_mb REAL, device TEXT);
CREATE TABLE config (directory TEXT, key TEXT, value, PRIMARY KEY (directory, key));
CREATE TABLE measures (directory TEXT, metric TEXT, image TEXT, value REAL, PRIMARY KEY (directory, metric, image));
CREATE INDEX by_key ON config (key, value);
CREATE INDEX by_metric ON measures (metric, image, value);
"""


def open_index(root: Path, rebuild: bool = False) -> sqlite3.Connection:
    """The index of a folder, brought up to date with its files.

    Tables: `runs` (one row a run directory), `config` (its labels and every dotted key), `measures` (one row a metric
    and image; image '' is the mean, figures of training are metrics `fit/...`).

    Args:
        root: searched to the bottom.
        rebuild: throw the old index away first.

    Raises:
        UserError: no such folder.
    """
    if not root.is_dir():
        raise UserError("no such folder", where=str(root), fix="name a folder that holds runs")
    path = root / INDEX
    if rebuild:
        path.unlink(missing_ok=True)
    try:
        return _updated(_connect(path), root)
    except sqlite3.DatabaseError as error:
        if not isinstance(error, sqlite3.OperationalError):  # not a database any more
            path.unlink(missing_ok=True)
            return _updated(_connect(path), root)
        return _updated(_connect(None), root)  # a folder that is not ours to write in


def _connect(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(path or ":memory:", timeout=30)
    if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            connection.execute(f"DROP TABLE {table}")
        connection.executescript(f"{SCHEMA} PRAGMA user_version = {FORMAT};")
    connection.row_factory = sqlite3.Row
    return connection


def _updated(connection: sqlite3.Connection, root: Path) -> sqlite3.Connection:
    """Read what is new or changed, forget what is gone, in one transaction."""
    found = {folder.relative_to(root).as_posix(): folder for folder in _directories(root)}
    with connection:
        known = dict(connection.execute("SELECT directory, stamp FROM runs").fetchall())
        for directory in known.keys() - found.keys():
            _forget(connection, directory)
        for directory, folder in found.items():
            stamp = _stamp(folder)
            if known.get(directory) != stamp:
                _forget(connection, directory)
                _insert(connection, directory, folder, stamp)
    return connection


def _directories(root: Path) -> list[Path]:
    """Run directories: those with a record or a status."""
    return sorted({path.parent for name in (RESULT, STATUS) for path in root.rglob(name)})


def _stamp(folder: Path) -> str:
    """Changes when the record or the status does; a job at work has none, for it changes without a trace."""
    status = read_status(folder)
    if status.state == "running":
        return ""
    files = [path.stat() for name in (RESULT, STATUS) if (path := folder / name).is_file()]
    return " ".join([status.state, *(f"{file.st_mtime_ns}:{file.st_size}" for file in files)])


def _forget(connection: sqlite3.Connection, directory: str) -> None:
    for table in ("runs", "config", "measures"):
        connection.execute(f"DELETE FROM {table} WHERE directory = ?", (directory,))


def _insert(connection: sqlite3.Connection, directory: str, folder: Path, stamp: str) -> None:
    status = read_status(folder)
    facts: dict[str, Any] = {
        "directory": directory,
        "stamp": stamp,
        "state": status.state,
        "reason": status.reason,
        "name": folder.parent.parent.name,
        "signature": folder.parent.name,
        "seed": None,
        "created": "",
        "seconds": status.seconds or None,
        "peak_memory_mb": status.peak_memory_mb or None,
        "device": status.place,
    }
    config: Mapping[str, Any] = _frozen(folder)
    labels: Mapping[str, Any] = {}
    if (folder / RESULT).is_file():
        try:
            record = Record.read(folder)
        except UserError as error:
            facts |= {"state": "unreadable", "reason": error.what}
        else:
            for key in ("name", "signature", "created", "seconds", "peak_memory_mb", "device"):
                facts[key] = getattr(record, key)
            config, labels = record.config, record.labels
            rows = [
                (directory, metric, image, value)
                for metric, measures in record.metrics.items()
                for image, value in {"": measures.mean, **measures.per_image}.items()
            ]
            rows += [(directory, f"fit/{name}", "", value) for name, value in record.fit.items()]
            connection.executemany("INSERT INTO measures VALUES (?, ?, ?, ?)", rows)
    facts["seed"] = config.get("seed")
    settings = {**dict(flat(config)), **labels}
    connection.executemany(
        "INSERT INTO config VALUES (?, ?, ?)", [(directory, key, value) for key, value in settings.items()]
    )
    columns = ", ".join(f":{key}" for key in facts)
    connection.execute(f"INSERT INTO runs VALUES ({columns})", facts)


def _frozen(folder: Path) -> dict[str, Any]:
    """The config of a job without a record; nothing if there is none yet."""
    from omegaconf import OmegaConf

    try:
        config = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
    except (OSError, ValueError):
        return {}
    return {str(key): value for key, value in config.items()} if isinstance(config, dict) else {}


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str | int | float | None]]:
    """Dotted keys and plain values of a config; lists as JSON, truth values as `true` and `false`."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, bool) or not isinstance(value, str | int | float | None):
            yield f"{prefix}{key}", json.dumps(value)
        else:
            yield f"{prefix}{key}", value


def query(root: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one SELECT.

    Raises:
        UserError: the statement is at fault.
    """
    with closing(open_index(root)) as connection:
        connection.execute("PRAGMA query_only = true")
        try:
            cursor = connection.execute(sql)
        except sqlite3.Error as error:
            fix = "tables: runs, config (directory, key, value), measures (directory, metric, image, value)"
            raise UserError(str(error), where="--sql", fix=fix) from error
        return [column[0] for column in cursor.description or ()], [tuple(row) for row in cursor.fetchall()]
