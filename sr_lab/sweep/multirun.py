"""A sweep from its overrides to its summary: expand, freeze, note down, launch."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from sr_lab.config.build import build
from sr_lab.config.compose import Composer
from sr_lab.config.schema import check_component
from sr_lab.errors import UserError
from sr_lab.io.atomic import write_json
from sr_lab.sweep.freeze import Freezer, Frozen, Here, freeze_all, freezer
from sr_lab.sweep.launcher import Launcher, Outcome, run_jobs
from sr_lab.sweep.overrides import labels
from sr_lab.sweep.progress import Progress
from sr_lab.tracking.status import LOCK, holding, read_status

SWEEPS = "sweeps"
GROUP = "WANDB_RUN_GROUP"


def multirun(
    cells: Sequence[Sequence[str]], config_dirs: Sequence[str] = (), command: str = ""
) -> tuple[Outcome, list[Frozen]]:
    """Validate every cell, then bring each to its end.

    Args:
        cells: overrides of each.
        config_dirs: folders with groups of the user's own.
        command: what the person typed, for the manifest.

    Returns:
        how the jobs ended, and what they were.

    Raises:
        UserError: a cell or the launcher's settings are at fault; nothing has run.
    """
    launcher, in_process = launcher_for(cells, config_dirs)
    with freezer_for(in_process, config_dirs) as freeze:
        frozen = freeze_all(freeze, cells, labels(cells))
    launcher.check(cell.job for cell in missing(frozen))
    clear_forced(frozen)
    with grouped(write_manifest(frozen, command)):
        return run_jobs([cell.job for cell in frozen], launcher, Progress()), frozen


def launcher_for(cells: Sequence[Sequence[str]], config_dirs: Sequence[str] = ()) -> tuple[Launcher, bool]:
    """The launcher that the config chooses, and whether it runs jobs in this process.

    Raises:
        UserError: its settings are not valid, or differ between cells.
    """
    own = [[o for o in cell if o.startswith(("sweep=", "sweep."))] for cell in cells]
    if any(said != own[0] for said in own[1:]):
        raise UserError(
            "one sweep has one launcher", where="sweep", fix="give it and its keys one value each"
        )
    from omegaconf import OmegaConf

    node = OmegaConf.to_container(Composer(config_dirs)(cells[0]).sweep, resolve=True)
    assert isinstance(node, dict)
    settings = {str(key): value for key, value in node.items()}
    check_component(settings, "sweep", ("sr_lab.sweep.",))
    return build(settings, "sweep"), settings["name"] == "in_process"


def freezer_for(in_process: bool, config_dirs: Sequence[str] = ()) -> AbstractContextManager[Freezer]:
    """A freezer in this process if jobs run here too, else one apart, which keeps torch out of this process."""
    return nullcontext(Here(config_dirs)) if in_process else freezer(config_dirs)


def missing(frozen: Sequence[Frozen]) -> list[Frozen]:
    """What is to run: without a record, or asked for again."""
    return [cell for cell in frozen if cell.force or read_status(cell.job.folder).state != "complete"]


def clear_forced(frozen: Sequence[Frozen]) -> None:
    """Remove what `force=true` asks to do again."""
    for cell in frozen:
        if cell.force:
            with holding(cell.job.folder) as had:
                for path in cell.job.folder.iterdir() if had else ():
                    if path.is_dir():
                        shutil.rmtree(path)
                    elif path.name != LOCK:
                        path.unlink()


@contextmanager
def grouped(place: Path) -> Iterator[None]:
    """The runs of a sweep as one group in wandb, unless the person has named one.

    Args:
        place: the sweep's manifest, or a search's folder; gives the name.
    """
    before = os.environ.get(GROUP)
    os.environ[GROUP] = before or f"{place.parents[1].name}-{place.stem}"
    try:
        yield
    finally:
        if before is None:
            del os.environ[GROUP]


def write_manifest(frozen: Sequence[Frozen], command: str) -> Path:
    """Note down which jobs a sweep has, in `out/sweeps/<id>.json`; the same grid has the same id."""
    names = [cell.job.directory for cell in frozen]
    identity = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:10]
    first = frozen[0].job
    out = first.folder.parents[2]
    path = out / SWEEPS / f"{identity}.json"
    write_json(
        path,
        {
            "command": command,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "jobs": [
                {"directory": cell.job.directory, "label": cell.job.label, "command": cell.job.command}
                for cell in frozen
            ],
        },
    )
    return path
