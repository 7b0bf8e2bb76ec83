"""`build`: from a config node to an object, through an allow-list of targets."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sr_lab.config.errors import nearest
from sr_lab.errors import UserError

ALLOWED = ("sr_lab.", "torch.nn.", "torch.optim.")


def targets(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """All `_target_` values below a node, with the config path of each."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield path, node["_target_"]
        for key, value in node.items():
            yield from targets(value, f"{path}.{key}")
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for index, value in enumerate(node):
            yield from targets(value, f"{path}[{index}]")


def locate(target: str, where: str, allowed: Sequence[str] = ALLOWED) -> Any:
    """Import a target if it is allowed, both by its name and by where its code lives.

    Raises:
        UserError: outside the allow-list, or no such module or attribute (with the nearest match).
    """
    rule = f"allowed prefixes: {', '.join(allowed)}; add your own package with allow_targets=[my_package.]"
    if not isinstance(target, str) or not target.startswith(tuple(allowed)):
        raise UserError(f"target '{target}' is not on the allow-list", where=f"{where}._target_", fix=rule)
    module_name, _, attribute = target.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"no module '{error.name}' for target '{target}'",
            where=f"{where}._target_",
            fix="check the spelling, or install the package that holds it",
        ) from error
    found = getattr(module, attribute, None)
    if found is None:
        names = [name for name in vars(module) if not name.startswith("_")]
        raise UserError(
            f"module '{module_name}' has no '{attribute}'" + nearest(attribute, names),
            where=f"{where}._target_",
            fix="check the spelling",
        )
    home = getattr(found, "__module__", "") or ""
    if not f"{home}.".startswith(tuple(allowed)):  # sr_lab.module.torch_load_in_disguise
        raise UserError(f"target '{target}' comes from '{home}'", where=f"{where}._target_", fix=rule)
    return found


def build(
    node: Mapping[str, Any], where: str = "config", allowed: Sequence[str] = ALLOWED, **extra: Any
) -> Any:
    """Instantiate a component, nested ones included.

    Args:
        node: plain mapping with `_target_`; a `name` beside it is a label and is dropped.
        where: config path, for messages.
        allowed: prefixes that targets may have.
        extra: objects to pass along (other components, already built).

    Raises:
        UserError: a target is not allowed or does not exist.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    for path, target in targets(node, where):
        locate(target, path, allowed)
    arguments = {key: value for key, value in node.items() if key != "name"}
    try:
        return instantiate(arguments, _convert_="all", **extra)
    except InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, UserError):
            cause = cause.__cause__
        if isinstance(cause, UserError):
            raise cause from error
        raise
