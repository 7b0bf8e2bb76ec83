"""A job: one frozen config in the run directory that its signature and seed name."""

from dataclasses import dataclass
from pathlib import Path

from sr_lab.io.atomic import write_text

CONFIG = "config.yaml"
LOG = "log.txt"


@dataclass(frozen=True)
class Job:
    """What a launcher needs to know of a run; the run itself reads only its frozen config.

    Args:
        directory: of the run, `out/name/signature/seedK`; relative to `cwd`.
        cwd: where the sweep was started.
        config: text of the frozen config.
        sha256: of that text, which every process of the job checks.
        command: what to type to repeat this run alone.
        label: what tells it from the other jobs of its sweep.
        devices: GPUs, or CPU processes, on each node; 0 means as many as there are.
        nodes: machines.
        accelerator: as in the trainer's config.
    """

    directory: str
    cwd: str
    config: str
    sha256: str
    command: str
    label: str
    devices: int = 1
    nodes: int = 1
    accelerator: str = "auto"

    @property
    def folder(self) -> Path:
        """Absolute run directory."""
        return Path(self.cwd) / self.directory

    def freeze(self) -> None:
        """Write the config that the run will read; a directory that holds it already is left as it is."""
        path = self.folder / CONFIG
        if not path.is_file() or path.read_text(encoding="utf-8") != self.config:
            write_text(path, self.config)
