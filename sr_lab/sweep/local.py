"""Jobs on this machine: each a fresh process tree on GPUs or CPU slots of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from sr_lab.errors import UserError
from sr_lab.sweep.attempt import Attempt, Limits
from sr_lab.sweep.job import Job
from sr_lab.sweep.launcher import Launcher
from sr_lab.sweep.pool import Pool, cores, gpus
from sr_lab.tracking.status import Busy, Status


class Local(Launcher):
    """N jobs over M GPUs, `trainer.devices` each, or over CPU slots where there is no GPU or none is wanted.

    Args:
        slots: CPU processes at a time; None: one for every two cores.
        devices: GPU ids; None: those this process may use.
        per_device: jobs that may share a GPU.
        memory_mb: resident memory of a job's processes together, more ends it.
        timeout_s: seconds of an attempt, more ends it.
        grace_s: seconds a job has to write its checkpoint when it is stopped.
        retries: further attempts at a job that failed.
    """

    def __init__(
        self,
        slots: int | None = None,
        devices: list[int | str] | None = None,
        per_device: int = 1,
        memory_mb: int | float | None = None,
        timeout_s: int | float | None = None,
        grace_s: int | float = 30,
        retries: int = 0,
    ) -> None:
        for name, value in (("slots", slots), ("per_device", per_device)):
            if value is not None and value < 1:
                raise UserError(f"{value} is too few", where=f"sweep.{name}", fix="allowed: 1 and more")
        self.retries = retries
        self.limits = Limits(memory_mb, timeout_s, grace_s)
        self._gpus = Pool(gpus() if devices is None else [str(device) for device in devices], per_device)
        self._per_device = per_device
        self._cpus = Pool([str(slot) for slot in range(slots or max(1, cores() // 2))])
        self._running: dict[str, tuple[Attempt, Pool, list[str]]] = {}

    @property
    def parallel(self) -> int:
        """Jobs of one device that run at a time."""
        return len(self._gpus) * self._per_device or len(self._cpus)

    def check(self, jobs: Iterable[Job]) -> None:
        """Every job fits on this machine.

        Raises:
            UserError: more devices or nodes than there are.
        """
        for job in jobs:
            pool = self._pool(job)
            kind, fix = (
                ("GPUs", "set trainer.devices, or trainer=cpu")
                if pool is self._gpus
                else ("CPU slots", "set sweep.slots")
            )
            if job.nodes > 1:
                raise UserError(
                    f"{job.nodes} nodes, and this is one machine",
                    where="trainer.num_nodes",
                    fix="use sweep=slurm",
                )
            if job.devices > len(pool):
                raise UserError(
                    f"{job.devices} wanted, {len(pool)} {kind} here", where="trainer.devices", fix=fix
                )
            if pool is self._gpus and not len(pool):
                raise UserError("there is no GPU here", where="trainer.accelerator", fix=fix)

    def room(self, job: Job) -> bool:
        """Whether enough places are free."""
        pool = self._pool(job)
        places = pool.take(self._count(job, pool))
        pool.give(places or [])
        return places is not None

    def start(self, job: Job) -> None:
        """Start it on free places.

        Raises:
            Busy: another sweep has it.
        """
        pool = self._pool(job)
        places = pool.take(self._count(job, pool))
        assert places is not None, "room() was not asked"
        gpu = pool is self._gpus
        threads = cores() // ((len(pool) * self._per_device) if gpu else len(pool))
        environment = {
            "CUDA_VISIBLE_DEVICES": ",".join(places) if gpu else "",
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, threads))),
        }
        place = f"{'GPU' if gpu else 'CPU slot'} {','.join(places)}"
        try:
            attempt = Attempt(job, self.limits, place, environment, devices=len(places))
        except Busy:
            pool.give(places)
            raise
        self._running[job.directory] = (attempt, pool, places)

    def ended(self) -> list[tuple[Job, Status]]:
        """Jobs that have ended since the last call."""
        ended: list[tuple[Job, Status]] = []
        for name, (attempt, pool, places) in list(self._running.items()):
            status = attempt.poll()
            if status is not None:
                del self._running[name]
                pool.give(places)
                ended.append((attempt.job, status))
        return ended

    def stop(self, job: Job, reason: str) -> None:
        """Stop one job as pruned, if it has begun."""
        if job.directory in self._running:
            self._running[job.directory][0].stop("pruned", reason)

    def close(self, interrupted: bool) -> None:
        """Stop what still runs, with its checkpoints written; a second interruption kills it."""
        attempts = [attempt for attempt, _, _ in self._running.values()]
        try:
            for attempt in attempts:
                attempt.stop("interrupted", "the sweep was stopped")
            while None in [attempt.poll() for attempt in attempts]:
                time.sleep(0.1)
        except BaseException:
            for attempt in attempts:
                attempt.kill()
                attempt.wait()
            raise

    def _pool(self, job: Job) -> Pool:
        wants_gpu = job.accelerator in ("gpu", "cuda") or (job.accelerator == "auto" and len(self._gpus) > 0)
        return self._gpus if wants_gpu else self._cpus

    def _count(self, job: Job, pool: Pool) -> int:
        return job.devices or (len(pool) if pool is self._gpus else 1)
