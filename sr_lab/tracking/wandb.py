"""wandb as a mirror of the record: offline by default, never required."""

import logging
from pathlib import Path

from sr_lab.config.schema import TrackingSettings
from sr_lab.tracking.record import Record

_LOG = logging.getLogger(__name__)


def mirror(record: Record, directory: Path, tracking: TrackingSettings) -> None:
    """Send a finished record to wandb; whatever goes wrong there is a note in the record and no more.

    The id is the run's signature and seed, so a repeated run goes on in the same place.
    """
    if tracking.mode == "disabled":
        return
    try:
        _mirror(record, directory, tracking)
    except Exception as error:  # a tracker must not cost a result
        note = f"wandb ({tracking.mode}): not mirrored, {type(error).__name__}: {error}"
        record.notes.append(note)
        _LOG.warning(note)


def _mirror(record: Record, directory: Path, tracking: TrackingSettings) -> None:
    import wandb

    run = wandb.init(
        project=tracking.project,
        entity=tracking.entity,
        group=tracking.group or record.name,
        name=f"{record.name}-s{record.seed}",
        id=f"{record.signature}-s{record.seed}",
        tags=tracking.tags,
        config=record.config,
        dir=str(directory),
        mode=tracking.mode,
        resume="allow" if tracking.mode == "online" else None,
        settings=wandb.Settings(silent=True, console="off", init_timeout=30),
    )
    try:
        run.summary.update(
            {
                **{f"metric/{name}": measures.mean for name, measures in record.metrics.items()},
                **{f"fit/{name}": value for name, value in record.fit.items()},
                "seconds": record.seconds,
                "peak_memory_mb": record.peak_memory_mb,
            }
        )
        figures = {image: directory / files.figure for image, files in record.images.items() if files.figure}
        run.log({f"images/{image}": wandb.Image(str(path)) for image, path in list(figures.items())[:16]})
    finally:
        run.finish()
