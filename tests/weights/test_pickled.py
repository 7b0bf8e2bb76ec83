"""Whole pickled modules, whose tensors are taken and whose code is not run."""

import pickle
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from sr_lab.backbones.essaformer import ESSAformer
from sr_lab.cli import app
from sr_lab.commands.weights import import_weights
from sr_lab.errors import UserError
from sr_lab.weights.pickled import read_pickled_module
from sr_lab.weights.store import load_weights, read_checkpoint, read_manifest, user_folder


def save_as_foreign(net: nn.Module, path: Path, legacy: bool = False, **beside: Any) -> None:
    """Pickle a module whose classes are gone when it is read, as those of another repository are."""
    foreign = types.ModuleType("foreign_repository")
    sys.modules["foreign_repository"] = foreign
    renamed: dict[type, type] = {}
    classes = {module: type(module) for module in net.modules()}
    try:
        for module, own in classes.items():
            if own.__module__.startswith("sr_lab."):
                twin = renamed.setdefault(
                    own, type(own.__name__, (own,), {"__module__": "foreign_repository"})
                )
                setattr(foreign, own.__name__, twin)
                module.__class__ = twin
        data = {**beside, "model": net} if beside else net
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # the older format wants the source of classes, and these have none
            torch.save(data, path, _use_new_zipfile_serialization=not legacy)
    finally:
        del sys.modules["foreign_repository"]
        for module, own in classes.items():
            module.__class__ = own


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("beside", [{}, {"epoch": 3}])
def test_the_tensors_are_those_of_its_state_dict(tmp_path: Path, legacy: bool, beside: dict[str, Any]):
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), ESSAformer(3, 4, 2))
    net[0].register_buffer("scratch", torch.ones(2), persistent=False)
    save_as_foreign(net, tmp_path / "net.pth", legacy, **beside)
    with pytest.raises(UserError, match=r"net\.pth.*weights import FILE --pickled-module"):
        read_checkpoint(tmp_path / "net.pth")
    state = read_pickled_module(tmp_path / "net.pth").state
    expected = net.state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())
    assert "foreign_repository" not in sys.modules


class Trap:
    """Unpickling it would leave a file behind."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


class TrappedState(nn.Linear):
    """A module with a trap among its attributes, and a foreign way to restore itself."""

    def __init__(self, file: Path) -> None:
        super().__init__(2, 3)
        self.trap = [Trap(file), {"more": Trap(file)}]

    def __setstate__(self, state: dict[str, Any]) -> None:
        state["trap"][0].file.touch()


@pytest.mark.parametrize("legacy", [False, True])
def test_foreign_code_is_not_run(tmp_path: Path, legacy: bool):
    mark, file = tmp_path / "executed", tmp_path / "net.pth"
    net = TrappedState(mark)
    torch.save({"epoch": 1, "model": net}, file, _use_new_zipfile_serialization=not legacy)
    state = read_pickled_module(file).state
    assert torch.equal(state["weight"], net.weight)
    assert not mark.exists()
    with pytest.raises(AttributeError):  # the trap is real: it leaves its mark and returns nothing
        torch.load(file, weights_only=False)
    assert mark.exists()


def test_a_pickle_by_hand_is_not_run(tmp_path: Path):
    mark, file = tmp_path / "executed", tmp_path / "net.pth"
    for payload in (
        b"cposix\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.",
        b"cbuiltins\neval\n(S'open(" + repr(str(mark)).encode() + b', "w")\'\ntR.',
        pickle.dumps(Trap(mark)),
        pickle.dumps({"model": Trap(mark)}),
        b"not a pickle",
        b"",
    ):
        file.write_bytes(payload)
        with pytest.raises(UserError, match=r"net\.pth"):
            read_pickled_module(file)
    assert not mark.exists()


def test_a_torchscript_archive_is_refused(tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "net.pt")
    with pytest.raises(UserError, match="TorchScript"):
        read_pickled_module(tmp_path / "net.pt")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"w": torch.ones(2)}, "no pickled modules"),
        ({"a": nn.Linear(1, 1), "b": nn.Linear(1, 1)}, "2 pickled modules"),
        (nn.ReLU(), "no parameters"),
    ],
)
def test_what_holds_no_single_module_is_told(tmp_path: Path, data: object, said: str):
    torch.save(data, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=said):
        read_pickled_module(tmp_path / "odd.pth")


def test_an_essaformer_is_imported_under_the_flag_alone(tmp_path: Path):
    net = ESSAformer(5, 8, 4)
    file = tmp_path / "essaformer_chikusei_x4.pth"
    save_as_foreign(net, file, epoch=40)
    refused = CliRunner().invoke(app, ["weights", "import", str(file)])
    assert refused.exit_code != 0
    [line] = import_weights([file], licence="Unlicense", pickled_module=True)
    assert "essaformer for 5 bands at x4" in line
    entry = read_manifest(user_folder())["essaformer_chikusei_x4"]
    assert (entry.kind, entry.licence) == ("essaformer", "Unlicense")
    kept = load_weights("essaformer_chikusei_x4").state
    assert all(torch.equal(kept[name], tensor) for name, tensor in net.state_dict().items())
