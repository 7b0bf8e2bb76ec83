"""Status of a run directory: `status.json` for people and sweeps, and a lock that the operating system lets go of.

A process that is killed cannot say so. Whether a job runs is therefore told by its lock, which the kernel releases
with the last process of the job, and whether it is complete by its record; the file only adds what happened.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from sr_lab.io.atomic import write_json
from sr_lab.tracking.record import RESULT

STATUS = "status.json"
LOCK = ".lock"
State = Literal["queued", "running", "complete", "failed", "interrupted", "pruned"]


class Busy(Exception):
    """Another process works on this job."""


@dataclass(frozen=True)
class Status:
    """Where a job is.

    Args:
        state: `interrupted` is a job that was stopped or lost its machine; it goes on where it was.
        reason: why it failed or stopped, one line.
        detail: end of the traceback or of the log.
        final: whether trying again could not help (bad input).
        attempt: which try this is, from 1.
        host, pid, boot: who ran it; the boot id tells machines with reused names and pids apart.
        place: GPUs, CPU slot or cluster job it was given.
        seconds, peak_memory_mb: of this attempt, all its processes together.
    """

    state: State
    reason: str = ""
    detail: str = ""
    final: bool = False
    attempt: int = 0
    host: str = ""
    pid: int = 0
    boot: str = ""
    place: str = ""
    seconds: float = 0.0
    peak_memory_mb: float = 0.0

    def write(self, folder: Path) -> Status:
        """Write `status.json`, whole or not at all."""
        write_json(folder / STATUS, asdict(self))
        return self


def read_status(folder: Path) -> Status:
    """The truth about a run directory, whatever `status.json` was left saying."""
    said = stored(folder)
    if (folder / RESULT).is_file():
        return replace(said, state="complete", reason="", detail="")
    if locked(folder):
        return replace(said, state="running")
    if said.state in ("running", "complete"):
        return replace(said, state="interrupted", reason=said.reason or "its process is gone")
    return said


def stored(folder: Path) -> Status:
    """What `status.json` says; `queued` if there is none."""
    try:
        return Status(**json.loads((folder / STATUS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Status("queued")


def take_lock(folder: Path) -> int | None:
    """Take a job for this process and those that inherit the descriptor; None if another has it.

    The last process that holds the descriptor releases the lock by ending, however it ends. Works across machines
    where the file system does `flock` (local disks, Lustre with -o flock, NFS 4).
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def holding(folder: Path) -> Iterator[bool]:
    """Hold a job's lock for a `with` block; says whether it was had."""
    descriptor = take_lock(folder)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def locked(folder: Path) -> bool:
    """Whether some process works on the job."""
    if not (folder / LOCK).exists():
        return False
    with holding(folder) as had:
        return not had


def boot_id() -> str:
    """Identity of this start of this machine; empty where the system has none."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


def host() -> str:
    """Name of this machine."""
    return platform.node()
