from pathlib import Path

import pytest

from sr_lab.data.splits import check_flights, read_splits, verified
from sr_lab.errors import UserError
from sr_lab.scenes.hyperspectral.splits import SPLITS

ENTRY = "{{file: {name}.mat, flight: {flight}, split: {split}, sha256: {digit}}}"


def written(path: Path, **entries: tuple[str, str]) -> Path:
    lines = [
        f"{name}: " + ENTRY.format(name=name, flight=flight, split=split, digit="abcdef"[number] * 64)
        for number, (name, (flight, split)) in enumerate(entries.items())
    ]
    path.write_text("\n".join(lines))
    return path


def test_the_committed_split_keeps_flights_apart() -> None:
    entries = read_splits(SPLITS)
    count = {
        split: sum(entry.split == split for entry in entries.values())
        for split in ("train", "validation", "test")
    }
    assert count == {"train": 8, "validation": 1, "test": 5}
    sides = {split: {entry.flight for entry in entries.values() if entry.split == split} for split in count}
    assert not sides["train"] & (sides["validation"] | sides["test"])
    assert len({entry.sha256 for entry in entries.values()}) == len(entries)


def test_the_files_are_those_of_the_split(data: Path) -> None:
    root = data / "hyperspectral"
    if not root.is_dir():
        pytest.skip(f"no {root}")
    for name, entry in read_splits(SPLITS).items():
        verified(root, name, entry)


def test_a_flight_on_both_sides_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "s.yaml", a=("north", "train"), b=("south", "test"), c=("north", "test"))
    with pytest.raises(UserError, match=r"flight 'north' is in train \(a\) and test \(c\)"):
        read_splits(path)
    entries = read_splits(written(tmp_path / "s.yaml", a=("north", "train"), b=("south", "test")))
    copied = {"a": entries["a"], "b": entries["b"].model_copy(update={"sha256": entries["a"].sha256})}
    with pytest.raises(UserError, match=r"sha256 'aaaa.*is in train \(a\) and test \(b\)"):
        check_flights(copied, SPLITS)


def test_a_bad_split_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such split file"):
        read_splits(tmp_path / "gone.yaml")
    path = written(tmp_path / "s.yaml", a=("north", "training"))
    with pytest.raises(UserError, match=r"a\.split"):
        read_splits(path)


def test_another_content_is_refused(tmp_path: Path) -> None:
    (entry,) = read_splits(written(tmp_path / "s.yaml", a=("north", "train"))).values()
    with pytest.raises(UserError, match=r"'a' is missing.*SR_LAB_DATA"):
        verified(tmp_path, "a", entry)
    (tmp_path / "a.mat").write_bytes(b"another")
    with pytest.raises(UserError, match=r"not the one of the split.*starts with \w{12}, not aaaaaaaaaaaa"):
        verified(tmp_path, "a", entry)
