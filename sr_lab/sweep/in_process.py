"""Jobs one after the other in this process: no start-up a job, and no isolation either."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

from sr_lab.errors import UserError
from sr_lab.sweep.job import Job
from sr_lab.sweep.launcher import Launcher
from sr_lab.sweep.worker import FAULT, fault_of, work
from sr_lab.tracking.status import Busy, Status, boot_id, holding, host, stored


class InProcess(Launcher):
    """For smoke grids of one-device jobs. An exception costs its job only; a signal or a want of memory the sweep.

    Args:
        retries: further attempts at a job that failed.
    """

    def __init__(self, retries: int = 0) -> None:
        self.retries = retries
        self._ended: list[tuple[Job, Status]] = []

    @property
    def parallel(self) -> int:
        """One job at a time."""
        return 1

    def check(self, jobs: Iterable[Job]) -> None:
        """Jobs of one device only.

        Raises:
            UserError: a job wants more.
        """
        for job in jobs:
            if job.devices > 1 or job.nodes > 1:
                raise UserError(
                    f"{job.devices} devices, and sweep=in_process has one",
                    where="trainer.devices",
                    fix="use sweep=local",
                )

    def room(self, job: Job) -> bool:
        """Whether the last job has been collected."""
        return not self._ended

    def start(self, job: Job) -> None:
        """Do it.

        Raises:
            Busy: another sweep has it.
        """
        with holding(job.folder) as had:
            if not had:
                raise Busy
            job.freeze()
            (job.folder / FAULT).unlink(missing_ok=True)
            attempt = stored(job.folder).attempt + 1
            status = Status("running", attempt=attempt, host=host(), boot=boot_id(), place="in process")
            status.write(job.folder)
            started = time.monotonic()
            try:
                work(job.folder, job.sha256, job.command)
                status = replace(status, state="complete")
            except Exception as error:
                status = replace(status, state="failed", **fault_of(error))
            status = replace(status, seconds=round(time.monotonic() - started, 2)).write(job.folder)
        self._ended.append((job, status))

    def ended(self) -> list[tuple[Job, Status]]:
        """The job that has ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def stop(self, job: Job, reason: str) -> None:
        """Nothing runs while anybody could ask for it."""

    def close(self, interrupted: bool) -> None:
        """Nothing is left running."""
