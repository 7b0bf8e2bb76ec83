"""Jobs on a Slurm cluster through submitit: arrays, several GPUs and nodes a job, requeue after preemption."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterable
from dataclasses import replace
from importlib.util import find_spec
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sr_lab.errors import UserError
from sr_lab.sweep.attempt import Attempt, Limits, Nodes, ask_to_stop
from sr_lab.sweep.job import Job
from sr_lab.sweep.launcher import Launcher
from sr_lab.tracking.status import Busy, Status, read_status, stored

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

ASK = 2.0  # seconds between questions to the scheduler
LAG = 15.0  # seconds that files may take to be seen here after a job has left the queue


class Slurm(Launcher):
    """One array for all jobs of equal size. They outlive the sweep, which finds them again when it is repeated.

    Args:
        partition: None for the cluster's default.
        minutes: time limit of a job, at which it is requeued.
        requeues: how often a job may reach the limit.
        cpus: cores for each device.
        memory_gb: of each node; None for the cluster's default.
        parallel: jobs of the array at a time.
        signal_delay_s: seconds before the limit at which a job is told.
        grace_s: seconds a job has then to write its checkpoint.
        setup: shell lines before each job.
        extra: further sbatch options.
        retries: further attempts at a job that failed.
    """

    def __init__(
        self,
        partition: str | None = None,
        minutes: int = 240,
        requeues: int = 10,
        cpus: int = 4,
        memory_gb: int | float | None = None,
        parallel: int = 64,
        signal_delay_s: int = 120,
        grace_s: int | float = 60,
        setup: list[str] | None = None,
        extra: dict[str, Any] | None = None,
        retries: int = 0,
    ) -> None:
        self.retries, self.requeues, self.cpus = retries, requeues, cpus
        self.limits = Limits(grace_s=grace_s)
        self._at_a_time = parallel
        self._options = {
            "timeout_min": minutes,
            "mem_gb": memory_gb,
            "slurm_partition": partition,
            "slurm_array_parallelism": parallel,
            "slurm_signal_delay_s": signal_delay_s,
            "slurm_setup": setup or None,
            "slurm_additional_parameters": extra or None,
        }
        self._new: list[Job] = []
        self._running: dict[str, tuple[Job, str, int]] = {}  # Slurm's id, attempts before
        self._gone: dict[str, float] = {}
        self._asked = 0.0
        self._live: set[str] = set()

    @property
    def parallel(self) -> int:
        """Jobs of the array at a time."""
        return self._at_a_time

    def check(self, jobs: Iterable[Job]) -> None:
        """There is a Slurm, and every job says how many devices it wants.

        Raises:
            UserError: there is none, submitit is missing, or a job leaves its devices open.
        """
        if find_spec("submitit") is None:
            raise UserError("sweep=slurm needs submitit", where="sweep", fix="pip install 'sr-lab[slurm]'")
        try:
            self._live = live_jobs()
        except (OSError, subprocess.SubprocessError) as error:
            fix = "start the sweep on a login node; squeue must work there"
            raise UserError(f"Slurm does not answer ({error})", where="sweep=slurm", fix=fix) from error
        for job in jobs:
            if job.devices == 0:
                fix = "trainer.devices=1, or as many as a node has"
                raise UserError("a cluster cannot tell how many", where="trainer.devices", fix=fix)

    def room(self, job: Job) -> bool:
        """Always: Slurm keeps the queue."""
        return True

    def start(self, job: Job) -> None:
        """Hand it in with the next array, or watch it if it is in Slurm's queue already."""
        said = stored(job.folder)
        found = re.fullmatch(r"Slurm job (\S+)", said.place)
        if found and found[1] in self._live:
            self._running[job.directory] = (job, found[1], said.attempt - 1)
        else:
            self._new.append(job)

    def ended(self) -> list[tuple[Job, Status]]:
        """Jobs that have ended since the last call, by their status on the shared file system."""
        self._submit()
        if time.monotonic() - self._asked < ASK:
            return []
        self._asked = time.monotonic()
        with contextlib.suppress(OSError, subprocess.SubprocessError):  # a scheduler may be away for a while
            self._live = live_jobs()
        ended = []
        for name, (job, identity, before) in list(self._running.items()):
            status = read_status(job.folder)
            if status.state in ("failed", "pruned") and status.attempt <= before:
                status = replace(status, state="queued")  # what it said before this attempt
            live = identity in self._live
            last_word = not live or stored(job.folder).state == status.state
            if status.state in ("complete", "failed", "pruned") and last_word:
                ended.append((job, status))
            elif not live:
                since = self._gone.setdefault(name, time.monotonic())
                if time.monotonic() - since < LAG:
                    continue
                reason = f"Slurm job {identity} is gone; see {self._folder(job)}/{identity}*"
                ended.append((job, replace(status, state="failed", reason=reason).write(job.folder)))
            else:
                continue
            del self._running[name]
            self._live.discard(identity)  # a further attempt is a new job
            self._gone.pop(name, None)
        return ended

    def stop(self, job: Job, reason: str) -> None:
        """Ask it to stop, through its directory."""
        ask_to_stop(job, reason)

    def close(self, interrupted: bool) -> None:
        """Leave the jobs to Slurm."""
        if interrupted and self._running:
            print(f"{len(self._running)} jobs go on in Slurm; the same command watches them again")

    def _folder(self, job: Job) -> str:
        return str(job.folder.parents[2] / "sweeps" / "slurm")

    def _submit(self) -> None:
        """One array for the new jobs of each size."""

        def size(job: Job) -> tuple[int, int, bool]:
            return job.nodes, job.devices, job.accelerator != "cpu"

        import submitit

        new, self._new = sorted(self._new, key=size), []
        for (nodes, devices, gpu), group in groupby(new, size):
            jobs = list(group)
            executor = submitit.AutoExecutor(
                self._folder(jobs[0]), cluster="slurm", slurm_max_num_timeout=self.requeues
            )
            resources = {
                "name": "sr_lab",
                "nodes": nodes,
                "tasks_per_node": 1,
                "cpus_per_task": self.cpus * devices,
                "gpus_per_node": devices if gpu else None,
            }
            given = {key: value for key, value in (self._options | resources).items() if value is not None}
            executor.update_parameters(**given)
            with executor.batch():
                submitted = [executor.submit(Task(job, self.limits, self.cpus)) for job in jobs]
            for job, handle in zip(jobs, submitted, strict=True):
                before = stored(job.folder)
                self._running[job.directory] = (job, handle.job_id, before.attempt)
                self._live.add(handle.job_id)
                if before.state == "queued":  # else it has begun already
                    replace(before, place=f"Slurm job {handle.job_id}").write(job.folder)


class Task:
    """What a node does: one attempt, begun again by Slurm after preemption."""

    def __init__(self, job: Job, limits: Limits, cpus: int) -> None:
        self.job, self.limits, self.cpus = job, limits, cpus
        self._attempt: Attempt | None = None

    def __call__(self) -> str:
        """Do the job; returns the state it ended in."""
        import submitit

        here = submitit.JobEnvironment()
        nodes = Nodes(here.node, here.num_nodes, here.hostnames[0]) if here.num_nodes > 1 else None
        environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(self.cpus))}
        while self._attempt is None:
            try:
                place = f"Slurm job {here.job_id}"
                self._attempt = Attempt(self.job, self.limits, place, environment, self.job.devices, nodes)
            except Busy:
                time.sleep(ASK)
            if read_status(self.job.folder).state == "complete":
                break
        return self._attempt.wait().state if self._attempt else "complete"

    def checkpoint(self) -> DelayedSubmission:
        """Preempted, or at the time limit: let the job write its checkpoint, and come again."""
        from submitit.helpers import DelayedSubmission

        if self._attempt is not None:
            self._attempt.stop("interrupted", "preempted; it is in the queue again")
            self._attempt.wait()
        return DelayedSubmission(Task(self.job, self.limits, self.cpus))


def live_jobs() -> set[str]:
    """Ids of this person's jobs that Slurm runs or will run, array members one by one."""
    done = subprocess.run(
        ["squeue", "--noheader", "--array", "--user", str(os.getuid()), "--format", "%i"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())
