"""The grid that overrides describe, in Hydra's grammar: `a,b`, `choice`, `range`, `glob`, `shuffle`, `sort`."""

import itertools
from collections.abc import Sequence

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
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    lists: list[list[str]] = []
    GlobalHydra.instance().clear()
    search = [f"hydra.searchpath=[{','.join(f'file://{d}' for d in config_dirs)}]"] if config_dirs else []
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        parser = OverridesParser.create(config_loader=loader)
        for text in overrides:
            try:
                override = parser.parse_override(text)
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
                raise UserError(
                    "an interval has no cells",
                    where=text,
                    fix="list values, or let `sr-lab search` draw them from the interval",
                )
    return [list(cell) for cell in itertools.product(*lists)]


def labels(cells: Sequence[Sequence[str]]) -> list[str]:
    """What tells each cell from the others: the overrides that not all of them share."""
    common = set(cells[0]).intersection(*cells[1:]) if cells else set()
    return [" ".join(override for override in cell if override not in common) for cell in cells]
