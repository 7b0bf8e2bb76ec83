"""The tensors of a whole pickled module, taken out without importing or running anything that its file names.

`torch.save(model)` writes a pickle, and unpickling calls whatever the file asks for: a foreign one can do anything that
you can. Here every class and function that a file names becomes an empty shell, apart from those that torch needs to
build tensors; what is left is the tree of modules, with parameters and buffers, from which a state dict is read.
"""

import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch._utils import _rebuild_tensor_v2

from sr_lab.errors import UserError
from sr_lab.weights.store import Checkpoint


class _Shell:
    """Takes the place of any foreign class, function or object: keeps what it is filled with, and does nothing."""

    kept: dict[str, Any]

    def __new__(cls, *args: object, **kwargs: object) -> "_Shell":
        made = object.__new__(cls)
        made.kept = {}
        return made

    def __setstate__(self, state: object) -> None:
        self.kept = {str(k): v for k, v in state.items()} if isinstance(state, dict) else {}

    def __call__(self, *args: object, **kwargs: object) -> "_Shell":
        return _Shell()

    def __setitem__(self, key: object, value: object) -> None: ...

    def append(self, item: object) -> None: ...

    def extend(self, items: object) -> None: ...


def _tensor(*args: Any) -> Tensor:
    return _rebuild_tensor_v2(*args)


def _parameter(data: Tensor, requires_grad: bool, hooks: object) -> torch.nn.Parameter:
    return torch.nn.Parameter(data, requires_grad)


class _Unpickler(pickle.Unpickler):
    """Builds tensors, plain containers and shells."""

    allowed: ClassVar[dict[tuple[str, str], Callable[..., Any]]] = {
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch._utils", "_rebuild_parameter"): _parameter,
        ("collections", "OrderedDict"): OrderedDict,
        ("builtins", "set"): set,
        ("__builtin__", "set"): set,
    }

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """What a name of the file stands for."""
        found = self.allowed.get((module_name, global_name))
        # a class of its own each time, and a function of its own: a file can set attributes of what it is given
        if found is None:
            return type("Shell", (_Shell,), {})
        return found if isinstance(found, type) else (lambda *args: found(*args))


class _PickleModule:
    """What `torch.load` needs of a pickle module; it calls nothing else."""

    Unpickler = _Unpickler

    @staticmethod
    def load(file: Any, **options: Any) -> Any:
        """Of torch's older file format."""
        return _Unpickler(file, **options).load()


def read_pickled_module(path: Path) -> Checkpoint:
    """The state dict of a pickled `torch.nn.Module`, alone in its file or in a dictionary such as {"epoch", "model"}.

    Raises:
        UserError: no such file, or no single module in it.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if any(name.endswith("constants.pkl") for name in archive.namelist()):
                    raise ValueError("a TorchScript archive")  # which torch.load would hand to torch.jit
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes whose source it cannot compare
            data = torch.load(path, map_location="cpu", pickle_module=_PickleModule, weights_only=False)
    except Exception as error:  # the file decides which
        raise UserError(
            f"no pickled module can be read ({next(iter(str(error).splitlines()), type(error).__name__)})",
            where=str(path),
            fix="give a file written by torch.save(model) or torch.save({'model': model, ...})",
        ) from error
    modules = [item for item in (data.values() if isinstance(data, dict) else [data]) if _is_module(item)]
    if len(modules) != 1:
        raise UserError(
            f"{len(modules) or 'no'} pickled modules inside",
            where=str(path),
            fix="one is needed; a file of plain tensors is imported without --pickled-module",
        )
    state = dict(_tensors(modules[0], "", 0))
    if not state:
        raise UserError("the pickled module has no parameters", where=str(path), fix="give another file")
    return Checkpoint(state)


def _is_module(item: object) -> bool:
    return isinstance(item, _Shell) and isinstance(item.kept.get("_modules"), dict)


def _tensors(module: _Shell, prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Parameters and persistent buffers by the names of `Module.state_dict`."""
    if depth > 64:  # a module that holds itself
        return
    transient = module.kept.get("_non_persistent_buffers_set") or ()
    for kind, left_out in (("_parameters", ()), ("_buffers", transient)):
        for name, tensor in (module.kept.get(kind) or {}).items():
            if isinstance(tensor, Tensor) and name not in left_out:
                yield f"{prefix}{name}", tensor.detach()
    for name, inner in module.kept["_modules"].items():
        if _is_module(inner):
            yield from _tensors(inner, f"{prefix}{name}.", depth + 1)
