import hashlib
import pickle
from pathlib import Path

import pytest
import torch

from sr_lab.errors import UserError
from sr_lab.weights import store
from sr_lab.weights.store import (
    Checkpoint,
    Entry,
    all_entries,
    load_weights,
    misfit,
    read_checkpoint,
    read_manifest,
    register,
    save_checkpoint,
    user_folder,
)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for the package's folder and the user's, both empty."""
    monkeypatch.setattr(store, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv("SR_LAB_WEIGHTS", str(tmp_path / "mine"))
    return tmp_path / "shipped"


def add(folder: Path, name: str, value: float, **architecture: object) -> Entry:
    file = folder / f"{name}.pt"
    save_checkpoint(file, Checkpoint({"w": torch.full((2,), value)}, architecture))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    entry = Entry(name, file.name, digest, "Apache-2.0", "sr-lab run experiment=x", "fkp", "a note")
    register(folder, entry)
    return entry


class Trap:
    """Unpickling it would leave a file behind."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def test_weights_by_name_come_with_their_architecture(shipped: Path):
    add(shipped, "fkp_x4", 1.0, widths=[1, 2], residual=True)
    found = load_weights("fkp_x4")
    assert torch.equal(found.state["w"], torch.ones(2))
    assert found.architecture == {"widths": [1, 2], "residual": True}


def test_the_manifest_comes_back_as_it_was_written(shipped: Path):
    entries = [add(shipped, name, 0.0) for name in ("usrnet", "fkp_x4", "fkp_x2")]
    assert read_manifest(shipped) == {entry.name: entry for entry in entries}
    assert list(read_manifest(shipped)) == ["fkp_x2", "fkp_x4", "usrnet"]
    replaced = add(shipped, "fkp_x4", 5.0)
    assert read_manifest(shipped)["fkp_x4"] == replaced
    assert len(read_manifest(shipped)) == 3
    assert read_manifest(shipped / "nowhere") == {}


def test_the_users_own_hide_shipped_names(shipped: Path):
    add(shipped, "fkp_x4", 1.0)
    add(shipped, "fkp_x2", 2.0)
    add(user_folder(), "fkp_x4", 7.0)
    assert load_weights("fkp_x4").state["w"].tolist() == [7, 7]
    assert load_weights("fkp_x2").state["w"].tolist() == [2, 2]
    assert {name: folder for name, (folder, _) in all_entries().items()} == {
        "fkp_x4": user_folder(),
        "fkp_x2": shipped,
    }


def test_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SR_LAB_WEIGHTS", str(tmp_path))
    assert user_folder() == tmp_path
    monkeypatch.delenv("SR_LAB_WEIGHTS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert user_folder() == tmp_path / "cache" / "sr_lab" / "weights"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_folder() == tmp_path / "home" / ".cache" / "sr_lab" / "weights"


def test_a_changed_file_is_refused(shipped: Path):
    entry = add(shipped, "fkp_x4", 1.0)
    save_checkpoint(shipped / entry.file, Checkpoint({"w": torch.zeros(2)}))
    with pytest.raises(UserError, match=r"fkp_x4\.pt.*sha256"):
        load_weights("fkp_x4")


def test_a_missing_file_is_named(shipped: Path):
    entry = add(shipped, "fkp_x4", 1.0)
    (shipped / entry.file).unlink()
    with pytest.raises(UserError, match=r"fkp_x4\.pt.*no such file"):
        load_weights("fkp_x4")
    with pytest.raises(UserError, match=r"nowhere\.pt.*no such file"):
        load_weights("/nowhere.pt")


def test_an_unknown_name_gets_the_nearest_one(shipped: Path):
    add(shipped, "fkp_x4", 1.0)
    add(shipped, "usrnet_small", 1.0)
    with pytest.raises(UserError, match=r"did you mean 'fkp_x4'.*known: fkp_x4, usrnet_small"):
        load_weights("fpk_x4")
    with pytest.raises(UserError, match="no weights named 'zzz'") as fault:
        load_weights("zzz")
    assert "did you mean" not in str(fault.value)


def test_a_damaged_manifest_is_named(shipped: Path):
    shipped.mkdir()
    for text in ("[{]", '{"name": 1}', '[{"file": "a.pt"}]', "[3]"):
        (shipped / "manifest.json").write_text(text)
        with pytest.raises(UserError, match=r"manifest\.json.*damaged"):
            load_weights("fkp_x4")


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
def test_foreign_code_is_not_run(tmp_path: Path, nested: bool, legacy: bool):
    mark = tmp_path / "executed"
    trap: object = {"w": torch.ones(2), "more": [Trap(mark)]} if nested else Trap(mark)
    file = tmp_path / "trap.pt"
    torch.save(trap, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UserError, match=r"trap\.pt.*not a safe torch checkpoint"):
        load_weights(str(file))
    assert not mark.exists()
    torch.load(file, weights_only=False)  # the trap is real
    assert mark.exists()


def test_a_bare_pickle_is_not_run(tmp_path: Path):
    mark, file = tmp_path / "executed", tmp_path / "trap.pth"
    file.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(UserError, match="not a safe torch checkpoint"):
        read_checkpoint(file)
    assert not mark.exists()


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float):
    file = tmp_path / "cut.pt"
    save_checkpoint(file, Checkpoint({"w": torch.arange(1000.0)}))
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"cut\.pt"):
        read_checkpoint(file)


def test_known_layouts(tmp_path: Path):
    state = {"w": torch.arange(3.0)}
    for name, data in (("bare", state), ("fkp", {"model_state": state})):
        torch.save(data, tmp_path / f"{name}.pth")
        found = load_weights(str(tmp_path / f"{name}.pth"))
        assert torch.equal(found.state["w"], state["w"])
        assert found.architecture == {}


@pytest.mark.parametrize(
    "content",
    [
        {},
        [torch.ones(2)],
        {"w": torch.ones(2), "epoch": 3},
        {"state": {"w": 1}, "architecture": {}},
        {"state": {"w": torch.ones(2)}, "architecture": "usrnet"},
    ],
)
def test_other_contents_are_no_state_dict(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(UserError, match=r"odd\.pt.*no state dict"):
        read_checkpoint(tmp_path / "odd.pt")


def test_saved_tensors_are_detached_copies(tmp_path: Path):
    whole = torch.nn.Parameter(torch.arange(10_000.0))
    save_checkpoint(tmp_path / "part.pt", Checkpoint({"w": whole[:4]}))
    assert (tmp_path / "part.pt").stat().st_size < 4000  # a view would drag its storage along
    found = read_checkpoint(tmp_path / "part.pt").state["w"]
    assert found.tolist() == [0, 1, 2, 3]
    assert not found.requires_grad


def test_misfits_are_told_in_one_line():
    net = torch.nn.Linear(2, 3)
    with pytest.raises(RuntimeError) as fault:
        net.load_state_dict({"weight": torch.zeros(3, 2)})
    assert misfit(fault.value) == 'Missing key(s) in state_dict: "bias".'
    with pytest.raises(RuntimeError) as fault:
        net.load_state_dict({f"layer.{i}": torch.zeros(1) for i in range(100)})
    assert len(misfit(fault.value)) <= 200
    assert misfit(KeyError("alpha")) == "'alpha'"
