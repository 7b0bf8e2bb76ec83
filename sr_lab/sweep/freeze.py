"""Freezing: from overrides to jobs that are known to be valid, in a process of its own.

Validation imports every target, torch and Lightning among them. That happens in one child, once, so the sweep itself
stays small, starts at once and holds no GPU.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from sr_lab.config.schema import Settings
from sr_lab.errors import UserError
from sr_lab.sweep.job import Job


@dataclass(frozen=True)
class Frozen:
    """A valid cell: its job, what a table will call it, and whether a record it has is to go.

    `objectives` holds the metrics that its record will have, and whether higher is better.
    """

    job: Job
    force: bool
    name: str
    signature: str
    seed: int
    labels: dict[str, str | int]
    objectives: dict[str, bool]


class Here:
    """Freezes in this process."""

    def __init__(self, config_dirs: Sequence[str] = ()) -> None:
        from sr_lab.config.compose import Composer

        self.config_dirs = list(config_dirs)
        self._compose = Composer(config_dirs)

    def __call__(self, overrides: Sequence[str], label: str = "") -> Frozen:
        """Compose, validate and sign one cell.

        Raises:
            UserError: the cell is at fault.
        """
        from omegaconf import OmegaConf

        from sr_lab.config.compose import to_plain
        from sr_lab.config.schema import validate, without_unused
        from sr_lab.config.signature import signature
        from sr_lab.run import labels, run_directory

        config = without_unused(to_plain(self._compose(overrides)))
        settings = validate(config)
        config["force"] = False  # the sweep removes what is to be done again, once
        text = OmegaConf.to_yaml(OmegaConf.create(config))
        trainer = settings.trainer
        folders = [f"--config-dir={folder}" for folder in self.config_dirs]
        said = [override for override in overrides if not override.startswith(("sweep=", "sweep."))]
        job = Job(
            directory=str(run_directory(config)),
            cwd=os.getcwd(),
            config=text,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            command=shlex.join(["sr-lab", "run", *folders, *said]),
            label=label,
            devices=0 if isinstance(trainer.devices, str) or trainer.devices < 1 else trainer.devices,
            nodes=trainer.num_nodes,
            accelerator=trainer.accelerator,
        )
        facts = (settings.name, signature(config), settings.seed, labels(settings), _objectives(settings))
        return Frozen(job, settings.force, *facts)


class Apart:
    """Freezes in a child process, which lives until `close`."""

    def __init__(self, config_dirs: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sr_lab.sweep.freeze", *config_dirs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, overrides: Sequence[str], label: str = "") -> Frozen:
        """Compose, validate and sign one cell.

        Raises:
            UserError: the cell is at fault.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([list(overrides), label]) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            raise RuntimeError("the process that validates configs has died") from error
        if "what" in answer:
            raise UserError(answer["what"], where=answer["where"], fix=answer["fix"])
        return Frozen(**{**answer, "job": Job(**answer["job"])})

    def close(self) -> None:
        """End the child."""
        self._process.kill()
        self._process.communicate()


Freezer = Here | Apart


@contextmanager
def freezer(config_dirs: Sequence[str] = ()) -> Iterator[Apart]:
    """A freezer in a child process for a `with` block."""
    apart = Apart(config_dirs)
    try:
        yield apart
    finally:
        apart.close()


def freeze_all(freeze: Freezer, cells: Sequence[Sequence[str]], labels: Sequence[str]) -> list[Frozen]:
    """Freeze every cell of a grid; cells that come to the same run are one job.

    Raises:
        UserError: what is wrong with every bad cell, before anything runs.
    """
    frozen: dict[str, Frozen] = {}
    faults: dict[str, list[str]] = {}
    first: UserError | None = None
    for cell, label in zip(cells, labels, strict=True):
        try:
            found = freeze(cell, label)
        except UserError as error:
            first = first or error
            faults.setdefault(str(error), []).append(label)
            continue
        frozen.setdefault(found.job.directory, found)
    if first is not None and len(cells) == 1:
        raise first
    if faults:
        said = [f"{text} ({_some(labels)})" for text, labels in faults.items()]
        bad = sum(map(len, faults.values()))
        raise UserError(f"{bad} of {len(cells)} cells are not valid:\n  " + "\n  ".join(said))
    return list(frozen.values())


def _objectives(settings: Settings) -> dict[str, bool]:
    """By name the metrics of the record, or what a method that only learns watches."""
    from sr_lab.config.build import locate
    from sr_lab.metrics.table import METRICS

    method = locate(settings.method["_target_"], "method", settings.allowed)
    if hasattr(method, "restore"):
        return {name: METRICS[name].higher_is_better for name in settings.metrics if name in METRICS}
    name, mode = getattr(method, "monitor", ("val_psnr", "max"))
    return {name: mode == "max"}


def _some(labels: Sequence[str], shown: int = 3) -> str:
    """The first few of many labels."""
    named = [label or "the only one" for label in labels[:shown]]
    more = f" and {len(labels) - shown} more" if len(labels) > shown else ""
    return "; ".join(named) + more


def main() -> None:
    """The child: one line of JSON in, one out, until the pipe closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever an imported package prints is not an answer
    freeze = Here(sys.argv[1:])
    for line in sys.stdin:
        overrides, label = json.loads(line)
        try:
            answer = asdict(freeze(overrides, label))
        except UserError as error:
            answer = {
                "what": error.what,
                "where": getattr(error, "where", ""),
                "fix": getattr(error, "fix", ""),
            }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
