"""The grid that overrides describe, in Hydra's grammar: `a,b`, `choice`, `range`, `glob`, `shuffle`, `sort`."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from sr_lab.config.paths import conf_dir
from sr_lab.errors import UserError


def expand(overrides: Sequence[str], config_dirs: Sequence[str] = ()) -> list[list[str]]:
    """All cells of a grid, the last override varying fastest.

    Args:
        overrides: as on the command line.
        config_dirs: folders with groups of the user's own, in which globs look too.

    Returns:
        overrides of each cell, none of which sweeps.

    Raises:
        UserError: malformed, or a continuous interval, which has no cells.
    """
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.utils import create_config_search_path
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    search = create_config_search_path(f"file://{conf_dir()}")
    for folder in config_dirs:
        search.append("config-dir", f"file://{Path(folder).absolute()}")
    parser = OverridesParser.create(config_loader=ConfigLoaderImpl(search))  # the loader answers globs
    lists: list[list[str]] = []
    for text in overrides:
        try:
            (override,) = parser.parse_overrides([text])
        except HydraException as error:
            first = str(error).splitlines()[0]
            fix = "overrides are key=value; key=a,b sweeps; quote values with commas or spaces"
            raise UserError(first, where=text, fix=fix) from error
        if not override.is_sweep_override():
            lists.append([text])
        elif override.is_discrete_sweep():
            key = override.get_key_element()
            lists.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        else:
            fix = "list values, or let `sr-lab search` draw them from the interval"
            raise UserError("an interval has no cells", where=text, fix=fix)
        if not lists[-1]:
            raise UserError("matches nothing", where=text, fix="`sr-lab run --help` lists the choices")
    return [list(cell) for cell in itertools.product(*lists)]


def labels(cells: Sequence[Sequence[str]]) -> list[str]:
    """What tells each cell from the others: the overrides that not all of them share."""
    common = set(cells[0]).intersection(*cells[1:]) if cells else set()
    return [" ".join(override for override in cell if override not in common) for cell in cells]
