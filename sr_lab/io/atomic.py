"""Whole files or none: whatever interrupts a write, the name holds the old content or all of the new."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, TextIO, overload

from sr_lab.errors import UserError


@overload
def atomic_write(path: str | Path, mode: Literal["wb"] = "wb") -> AbstractContextManager[BinaryIO]: ...
@overload
def atomic_write(path: str | Path, mode: Literal["w"]) -> AbstractContextManager[TextIO]: ...
def atomic_write(path: str | Path, mode: Literal["wb", "w"] = "wb") -> AbstractContextManager[Any]:
    """Open a file that takes its name only when the `with` block ends well.

    The content goes to a hidden temporary file in the same folder (made if missing), is flushed to the disk
    and renamed over `path`. After an exception the temporary file is gone and the old file untouched. Text is
    UTF-8 with Unix line ends. A symbolic link keeps pointing where it did; its target is replaced.

    Raises:
        UserError: the file cannot be made there.
    """
    return _atomic_write(Path(os.path.realpath(path)), mode)


@contextmanager
def _atomic_write(path: Path, mode: str) -> Iterator[IO[Any]]:
    partial = path.parent / f".partial-{secrets.token_hex(8)}"
    if path.is_dir():
        raise UserError("a folder has this name", where=str(path), fix="Choose another file name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # "x" and not mkstemp: the umask then decides the permissions, as for any other file
        file = partial.open("xb") if mode == "wb" else partial.open("x", encoding="utf-8", newline="\n")
    except OSError as fault:
        fix = "Check the folder's permissions and free space, or write elsewhere"
        raise UserError(f"cannot write here ({fault.strerror})", where=str(path), fix=fix) from fault
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all; parent folders are made.

    Raises:
        UserError: the file cannot be made there.
    """
    with atomic_write(path, "w") as file:
        file.write(text)


def write_json(path: str | Path, data: object) -> None:
    """Write strict JSON (indented, keys in the given order), whole or not at all; parent folders are made.

    Raises:
        ValueError: a NaN or an infinity, which JSON does not have.
        TypeError: a value that JSON does not have.
        UserError: the file cannot be made there.
    """
    write_text(path, json.dumps(data, allow_nan=False, ensure_ascii=False, indent=2) + "\n")
