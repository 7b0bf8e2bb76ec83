"""What a run reports while it is at work: a line of `steps.jsonl` per validation and per restored image."""

import json
from collections.abc import Mapping
from pathlib import Path

STEPS = "steps.jsonl"


def report_step(
    directory: Path, values: Mapping[str, float], *, step: int | None = None, image: str = ""
) -> None:
    """Append one line, in a single write: a killed run leaves at most one line cut short.

    Args:
        directory: of the run.
        values: by metric.
        step: of a fit.
        image: that was restored, where there is no step.
    """
    line = json.dumps({"step": step, "image": image, "values": dict(values)}) + "\n"
    with (directory / STEPS).open("ab", buffering=0) as file:
        file.write(line.encode())


def reported(directory: Path, metric: str) -> list[tuple[int, float]]:
    """Steps and values so far: of a fit its validations, else after each image the mean over the images so far.

    A line cut short by a kill is left out; of an image or step reported twice the last counts.
    """
    path = directory / STEPS
    fitted: dict[int, float] = {}
    restored: dict[str, float] = {}
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
            value = line["values"].get(metric)
        except (ValueError, TypeError, KeyError):
            continue
        if value is not None and line["step"] is not None:
            fitted[line["step"]] = value
        elif value is not None:
            restored[line["image"]] = value
    if fitted:
        return sorted(fitted.items())
    values = list(restored.values())
    return [(count, sum(values[:count]) / count) for count in range(1, len(values) + 1)]
