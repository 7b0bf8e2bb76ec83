"""What wandb shows of a record: figures, curves, pictures, kernels, a table an image, files to keep."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sr_lab.report.pixels import kernel_picture
from sr_lab.report.traces import Trace, read_trace
from sr_lab.tracking.record import RESULT, Record

if TYPE_CHECKING:
    from wandb import Run

SHOWN = 16  # images with pictures and curves of their own
_KERNEL = 220
_FILES = {"record": (RESULT, "metrics.csv", "config.yaml"), "model": ("weights.pt",)}


def log_record(run: Run, record: Record, directory: Path) -> None:
    """Log everything of a whole record; it is read from the run directory, which stays the source of truth."""
    import wandb

    for part in ("optimisation", "training"):
        run.define_metric(f"{part}/step", hidden=True)
        run.define_metric(f"{part}/*", step_metric=f"{part}/step")
    for row in [*_optimisation(record, directory), *_training(directory)]:
        run.log(row)
    run.summary.update(
        {
            **{f"metric/{name}": measures.mean for name, measures in record.metrics.items()},
            **{f"fit/{name}": value for name, value in record.fit.items()},
            **{f"label/{name}": value for name, value in record.labels.items()},
            "seconds": record.seconds,
            "seconds_per_image": _mean([files.seconds for files in record.images.values()]),
            "peak_memory_mb": record.peak_memory_mb,
        }
    )
    run.log({**_pictures(record, directory), **_table(record)})
    for kind, files in artifact_files(directory).items():
        artifact = wandb.Artifact(
            f"{record.name}-{record.signature}-s{record.seed}-{kind}", kind, metadata=dict(record.labels)
        )
        for file in files:
            # immutable: sent from where it lies, not from a copy
            artifact.add_file(str(file), policy="immutable")
        run.log_artifact(artifact)


def artifact_files(directory: Path) -> dict[str, list[Path]]:
    """The files of a run that wandb keeps whole, by type of artifact."""
    found = {
        kind: [path for name in names if (path := directory / name).is_file()]
        for kind, names in _FILES.items()
    }
    return {kind: files for kind, files in found.items() if files}


def _optimisation(record: Record, directory: Path) -> Iterator[dict[str, float]]:
    """A row per iteration: every column of every trace, and its mean over the images that have one there."""
    rows: dict[float, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for image, files in record.images.items():
        trace = _read(directory / files.trace, "iteration") if files.trace else {}
        for column, values in trace.items():
            for iteration, value in zip(trace["iteration"], values, strict=True):
                if column != "iteration" and math.isfinite(value):
                    rows[iteration][column][image] = value
    shown = set(list(record.images)[:SHOWN])
    for iteration, columns in sorted(rows.items()):
        row = {"optimisation/step": iteration}
        for column, values in columns.items():
            row[f"optimisation/{column}"] = float(np.mean(list(values.values())))
            if len(record.images) > 1:
                row |= {f"optimisation/{column}/{i}": v for i, v in values.items() if i in shown}
        yield row


def _training(directory: Path) -> Iterator[dict[str, float]]:
    """What the trainer logged, row by row."""
    columns = _read(directory / "curves" / "metrics.csv", "step")
    for values in zip(*columns.values(), strict=True):
        row = {
            f"training/{name}": value
            for name, value in zip(columns, values, strict=True)
            if math.isfinite(value)
        }
        if "training/step" in row:
            yield row


def _pictures(record: Record, directory: Path) -> dict[str, Any]:
    """The side-by-side figure and the kernels, true beside estimated on one scale, of the first images."""
    import wandb

    panels: dict[str, Any] = {}
    for image, files in list(record.images.items())[:SHOWN]:
        if files.figure and (directory / files.figure).is_file():
            panels[f"images/{image}"] = wandb.Image(
                str(directory / files.figure), caption=_caption(record, image)
            )
        paths = {"true": files.true_kernel, "estimated": files.kernel}
        kernels = {
            name: np.load(directory / path, allow_pickle=False)
            for name, path in paths.items()
            if path and (directory / path).is_file()
        }
        greatest = max((float(kernel.max()) for kernel in kernels.values()), default=0.0)
        if kernels:
            panels[f"kernels/{image}"] = [
                wandb.Image(kernel_picture(kernel, greatest, _KERNEL), caption=f"{name}, 0 to {greatest:.3g}")
                for name, kernel in kernels.items()
            ]
    return panels


def _table(record: Record) -> dict[str, Any]:
    import wandb

    if not record.images:
        return {}
    rows: list[Any] = [
        [image, files.seconds, *(measures.per_image.get(image) for measures in record.metrics.values())]
        for image, files in record.images.items()
    ]
    return {"per_image": wandb.Table(columns=["image", "seconds", *record.metrics], data=rows)}


def _caption(record: Record, image: str) -> str:
    plain = (item for item in record.metrics.items() if "@" not in item[0] and image in item[1].per_image)
    return ", ".join(
        f"{name} {measures.per_image[image]:.4g} {measures.unit}".strip() for name, measures in plain
    )


def _read(path: Path, steps: str) -> Trace:
    try:
        return read_trace(path, steps)
    except (OSError, ValueError):
        return {}


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
