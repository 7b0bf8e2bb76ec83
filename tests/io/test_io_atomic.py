from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

import pytest

from sr_lab.errors import UserError
from sr_lab.io.atomic import atomic_write, write_json, write_text


def test_name_holds_the_old_content_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "record.bin"
    target.write_bytes(b"old")
    with atomic_write(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"old"
        assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == ["record.bin"]
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def write_half(path: Path, mode: Literal["wb", "w"], fault: type[BaseException]) -> None:
    with atomic_write(path, mode) as file:
        half: Any = b"half" if mode == "wb" else "half"
        file.write(half)
        raise fault


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("mode", ["wb", "w"])
def test_an_exception_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, fault: type[BaseException], mode: Literal["wb", "w"]
) -> None:
    target = tmp_path / "record.txt"
    target.write_bytes(b"old")
    with pytest.raises(fault):
        write_half(target, mode, fault)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_exception_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        write_half(tmp_path / "sub" / "a", "wb", RuntimeError)
    assert list((tmp_path / "sub").iterdir()) == []


def test_text_is_utf8_with_unix_ends_in_a_new_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "note.md", "äö = 1\nend\n")
    assert (tmp_path / "a" / "b" / "note.md").read_bytes() == "äö = 1\nend\n".encode()


def test_json_keeps_the_order_of_keys(tmp_path: Path) -> None:
    data = {"z": 1, "a": [1.5, None, True], "ß": {"y": "é", "b": 2}}
    write_json(tmp_path / "r.json", data)
    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    assert json.loads(text) == data
    assert list(json.loads(text)) == ["z", "a", "ß"]
    assert text.endswith("}\n")
    assert "ß" in text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_refuses_what_json_does_not_have(tmp_path: Path, value: float) -> None:
    target = tmp_path / "r.json"
    target.write_text("old")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(target, {"psnr": [value]})
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_of_this_name_and_a_file_as_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(UserError, match="a folder has this name"), atomic_write(tmp_path / "taken"):
        pass
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot write here"), atomic_write(tmp_path / "file" / "a"):
        pass


def test_a_symbolic_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
