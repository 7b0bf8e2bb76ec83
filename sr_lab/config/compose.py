"""Composition with Hydra, with errors a person can act on."""

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sr_lab.config import resolvers
from sr_lab.config.errors import listing, nearest
from sr_lab.config.paths import conf_dir
from sr_lab.errors import UserError


def compose(overrides: Sequence[str], config_dirs: Sequence[str] = ()) -> DictConfig:
    """Compose the root config with overrides.

    Args:
        overrides: Hydra's syntax, such as `experiment=dip_fkp scale=2`.
        config_dirs: further folders with groups of the user's own.

    Raises:
        UserError: unknown group, choice or key (with the nearest match), or a malformed override.
    """
    from hydra.errors import HydraException

    search = [f"hydra.searchpath=[{','.join(f'file://{d}' for d in config_dirs)}]"] if config_dirs else []
    try:
        return _compose([*search, *overrides])
    except (HydraException, OmegaConfBaseException) as error:
        raise _worded(error, overrides) from error
    except ValueError as error:  # Hydra's word for `group=null`
        nothing = [o for o in overrides if o.endswith("=null") and _group_of(o) in groups()]
        if not nothing:
            raise
        key = nothing[0].partition("=")[0]
        raise UserError(
            f"'{nothing[0]}' is no choice of a group", where=key, fix=f"use {key}=none or ~{key}"
        ) from error


def _compose(overrides: Sequence[str]) -> DictConfig:
    """Hydra's composition with Hydra's errors."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    resolvers.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return hydra_compose("config", overrides=list(overrides))


class Composer:
    """`compose` for many cells of a grid: those with the same group choices share the costly part.

    Reading YAML and resolving the defaults list takes a hundred times as long as setting values in what they gave.

    Args:
        config_dirs: further folders with groups of the user's own.
    """

    def __init__(self, config_dirs: Sequence[str] = ()) -> None:
        self.config_dirs = list(config_dirs)
        self._groups = groups(config_dirs)
        self._bases: dict[tuple[str, ...], DictConfig] = {}

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        """What `compose(overrides, config_dirs)` gives.

        Raises:
            UserError: as `compose` does.
        """
        from hydra._internal.config_loader_impl import ConfigLoaderImpl
        from hydra.core.override_parser.overrides_parser import OverridesParser
        from hydra.errors import HydraException

        try:
            parsed = OverridesParser.create().parse_overrides(list(overrides))
        except HydraException as error:
            raise _worded(error, overrides) from error
        choices = [o for o in parsed if o.key_or_group in self._groups or o.key_or_group.startswith("hydra")]
        texts = tuple(str(choice.input_line) for choice in choices)
        if texts not in self._bases:
            self._bases[texts] = compose(texts, self.config_dirs)
        config = copy.deepcopy(self._bases[texts])
        try:
            # the step with which Hydra's own composition ends
            ConfigLoaderImpl._apply_overrides_to_config([o for o in parsed if o not in choices], config)
        except (HydraException, OmegaConfBaseException) as error:
            raise _worded(error, overrides) from error
        return config


def to_plain(config: DictConfig) -> dict[str, Any]:
    """Resolve to plain containers; `hydra` and `sweep`, which say how runs are started, are left out.

    Raises:
        UserError: a mandatory value is missing, or an interpolation leads nowhere.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        where = str(getattr(error, "full_key", "") or "config")
        first = str(error).splitlines()[0]
        raise UserError(first, where=where, fix=f"set {where}=... on the command line") from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key not in ("hydra", "sweep")}


def groups(config_dirs: Sequence[str] = ()) -> dict[str, list[str]]:
    """Config groups and their choices; `prior/kernels` is a group inside another."""
    found: dict[str, set[str]] = {}
    for root in (conf_dir(), *map(Path, config_dirs)):
        for folder in root.rglob("*") if root.is_dir() else ():
            if folder.is_dir() and not folder.name.startswith((".", "_")):
                name = folder.relative_to(root).as_posix()
                found.setdefault(name, set()).update(path.stem for path in folder.glob("*.yaml"))
    return {name: sorted(choices) for name, choices in sorted(found.items())}


def _group_of(override: str) -> str:
    """`prior` of `prior@start=spectral`."""
    return override.lstrip("+~").partition("=")[0].partition("@")[0]


def _worded(error: Exception, overrides: Sequence[str]) -> UserError:
    """Hydra's message in the house's words."""
    text = str(error)
    chain = f"{text} {error.__cause__ or ''}"
    choices = groups()
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        group = _group_of(override)
        if group in choices and value and value not in choices[group] and f"{group}/{value}" in chain:
            return UserError(
                f"no {group} named '{value}'" + nearest(value, choices[group]),
                where=key,
                fix=listing(choices[group]),
            )
    unknown = re.search(r"Could not override '([^']+)'", text) or re.search(
        r"Key '([^']+)' is not in struct", chain
    )
    if unknown:
        key = unknown[1]
        keys = _keys(overrides)
        parent = key.rpartition(".")[0]
        siblings = [k for k in keys if k.rpartition(".")[0] == parent] or [k for k in keys if "." not in k]
        return UserError(f"no such key '{key}'" + nearest(key, keys), where=key, fix=listing(siblings))
    return UserError(
        text.splitlines()[0], where="command line", fix="see `sr-lab run --help`; overrides are key=value"
    )


def _keys(overrides: Sequence[str]) -> list[str]:
    """Dotted keys of the config that the group choices among the overrides select."""
    from hydra.errors import HydraException

    choices = groups()
    try:
        config = _compose([o for o in overrides if _group_of(o) in choices])
    except HydraException:
        config = _compose([])
    keys: list[str] = []

    def walk(node: Any, path: str) -> None:
        for key in node:
            name = f"{path}.{key}" if path else str(key)
            keys.append(name)
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not child._is_none() and not child._is_interpolation():
                walk(child, name)

    walk(config, "")
    return keys
