"""What a launcher is, and the loop that brings every job of a sweep to an end with any of them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sr_lab.sweep.job import Job
from sr_lab.sweep.progress import Progress
from sr_lab.tracking.status import Busy, Status, holding, read_status, stored

PAUSE = 0.1


class Launcher(ABC):
    """Runs jobs somewhere.

    Attributes:
        retries: further attempts at a job that failed.
    """

    retries: int

    @property
    @abstractmethod
    def parallel(self) -> int:
        """Jobs that may run at a time."""

    @abstractmethod
    def check(self, jobs: Iterable[Job]) -> None:
        """Raise a UserError if some job could never start here."""

    @abstractmethod
    def room(self, job: Job) -> bool:
        """Whether the job could start now."""

    @abstractmethod
    def start(self, job: Job) -> None:
        """Start a job, or hand it to a queue; `Busy` if another sweep works on it."""

    @abstractmethod
    def ended(self) -> list[tuple[Job, Status]]:
        """Jobs that have ended since the last call."""

    @abstractmethod
    def stop(self, job: Job, reason: str) -> None:
        """Stop one job that is not worth going on with; it ends as pruned."""

    @abstractmethod
    def close(self, interrupted: bool) -> None:
        """Let go of everything; after an interruption, stop what should not outlive the sweep."""


@dataclass
class Outcome:
    """How the jobs of a sweep ended, by run directory, and how many were complete before."""

    ended: dict[str, Status]
    before: int

    @property
    def failures(self) -> dict[str, Status]:
        """Jobs without a record."""
        return {name: status for name, status in self.ended.items() if status.state != "complete"}


def run_jobs(jobs: list[Job], launcher: Launcher, progress: Progress) -> Outcome:
    """Bring every job to its end: skip what is complete, start the others, try failures again as often as allowed.

    A job that another sweep works on is waited for, not done twice.
    """
    outcome = Outcome({}, 0)
    waiting: list[Job] = []
    for job in jobs:
        status = read_status(job.folder)
        if status.state == "complete":
            outcome.ended[job.directory] = status
            outcome.before += 1
        else:
            waiting.append(job)
    for job in waiting:
        queue(job)
    progress.begin(len(jobs), outcome.before, launcher.parallel)
    running: set[str] = set()
    tries: dict[str, int] = {}
    interrupted = True
    try:
        while waiting or running:
            elsewhere: list[Job] = []
            while waiting and launcher.room(waiting[0]):
                job = waiting.pop(0)
                status = read_status(job.folder)
                if status.state == "complete":  # by another sweep, meanwhile
                    outcome.ended[job.directory] = status
                    progress.started(job)
                    progress.ended(job, status)
                    continue
                try:
                    launcher.start(job)
                except Busy:
                    elsewhere.append(job)
                else:
                    running.add(job.directory)
                    progress.started(job)
            waiting += elsewhere
            for job, status in launcher.ended():
                running.discard(job.directory)
                tries[job.directory] = tries.get(job.directory, 0) + 1
                again = (
                    status.state == "failed" and not status.final and tries[job.directory] <= launcher.retries
                )
                if again:
                    progress.retried(job, status)
                    waiting.append(job)
                else:
                    outcome.ended[job.directory] = status
                    progress.ended(job, status)
            progress.tick()
            time.sleep(PAUSE)
        interrupted = False
    finally:
        launcher.close(interrupted)
        progress.close()
    return outcome


def queue(job: Job) -> None:
    """Freeze a job in its directory and say that it waits, unless some process works on it."""
    with holding(job.folder) as had:
        if had:
            job.freeze()
            replace(stored(job.folder), state="queued", reason="", detail="").write(job.folder)
