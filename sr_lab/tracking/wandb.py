"""wandb as a mirror of the record: offline by default, never required, never waited for."""

import logging
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sr_lab.config.schema import TrackingSettings
from sr_lab.tracking.record import Record

_LOG = logging.getLogger(__name__)
_REACH = 5  # seconds for a first answer of the server
_INIT = 30
_FINISH = 120  # after which an upload is left to `sr-lab sync`


def mirror(record: Record, directory: Path, tracking: TrackingSettings) -> str | None:
    """Log a finished record to wandb; whatever goes wrong there is a warning and no more.

    The id is the run's signature and seed, so a repeated run goes on in the same place. Without a login or a network,
    `online` becomes offline: the files wait in the run directory for `sr-lab sync`.

    Returns:
        what did not go as asked, for the notes of the record.
    """
    if tracking.mode == "disabled":
        return None
    problem = why_not_online() if tracking.mode == "online" else None
    modes: list[Literal["online", "offline"]] = ["offline"]
    if tracking.mode == "online" and problem is None:
        modes.insert(0, "online")
    for mode in modes:
        try:
            _mirror(record, directory, tracking, mode)
        except Exception as error:  # a tracker must not cost a result
            problem = f"{type(error).__name__}: {error}"
        else:
            if problem:
                problem += "; kept offline, `sr-lab sync` sends it later"
            break
    if problem is None:
        return None
    note = f"wandb ({tracking.mode}): {problem}"
    _LOG.warning(note)
    return note


def why_not_online() -> str | None:
    """What keeps wandb's server out of reach, found in seconds and without asking anybody for a password."""
    import wandb

    try:
        server = str(wandb.setup(settings=wandb.Settings(silent=True)).settings.base_url)
        # on a terminal, wandb itself would ask for a key and wait
        if not wandb.login(prompt=False, verify=False):
            return "no login (`wandb login`)"
    except Exception as error:
        return f"no login ({error})"
    try:
        # an opener of its own: the shared one keeps the proxies of when it was first used
        urllib.request.build_opener().open(server, timeout=_REACH).close()
    except urllib.error.HTTPError:
        return None  # an answer
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        # wandb has certificates and settings of its own
        return None if isinstance(reason, ssl.SSLError) else f"{server} does not answer ({reason})"
    return None


def run_id(record: Record) -> str:
    """The same for the same run, wherever and how often it is done."""
    return f"{record.signature}-s{record.seed}"


def _mirror(
    record: Record, directory: Path, tracking: TrackingSettings, mode: Literal["online", "offline"]
) -> None:
    import wandb

    from sr_lab.tracking.contents import log_record

    with _staged_in(directory / "wandb" / "data"):
        run = wandb.init(
            project=tracking.project,
            entity=tracking.entity,
            # a sweep names its group in wandb's own variable
            group=tracking.group or os.environ.get("WANDB_RUN_GROUP") or record.name,
            job_type=str(record.labels.get("method", "run")),
            name=f"{record.name}-s{record.seed}",
            id=run_id(record),
            tags=tracking.tags,
            config=record.config,
            dir=str(directory),
            mode=mode,
            resume="allow" if mode == "online" else None,
            reinit="create_new",  # never the run that someone else has open
            settings=wandb.Settings(
                silent=True, console="off", init_timeout=_INIT, finish_timeout=_FINISH, x_disable_stats=True
            ),
        )
        try:
            log_record(run, record, directory)
        finally:
            run.finish()


@contextmanager
def _staged_in(folder: Path) -> Iterator[None]:
    """Keep what wandb stages for uploads beside the run; its default is the home folder, often small on clusters."""
    before = os.environ.get("WANDB_DATA_DIR")
    os.environ["WANDB_DATA_DIR"] = before or str(folder.absolute())
    try:
        yield
    finally:
        if before is None:
            del os.environ["WANDB_DATA_DIR"]
