"""Jobs on a Ray cluster: each a task with its resources, and inside it the same process tree as anywhere."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from typing import Any

from sr_lab.errors import UserError
from sr_lab.sweep.attempt import Attempt, Limits, ask_to_stop
from sr_lab.sweep.job import Job
from sr_lab.sweep.launcher import Launcher
from sr_lab.tracking.record import RESULT
from sr_lab.tracking.status import Busy, Status, read_status

PASSED_ON = (
    "SR_LAB_",
    "OMP_",
    "WANDB_",
    "PYTHONPATH",
)  # of this process's environment, to jobs on other machines


class RayCluster(Launcher):
    """Every job a task; a job ends with the sweep that started it.

    Args:
        address: of the head; `auto` for the running one, None to start one here.
        cpus: cores for each device.
        memory_mb: resident memory of a job's processes together, more ends it.
        timeout_s: seconds of an attempt, more ends it.
        grace_s: seconds a job has to write its checkpoint when it is stopped.
        parallel: jobs handed to Ray at a time.
        retries: further attempts at a job that failed.
    """

    def __init__(
        self,
        address: str | None = "auto",
        cpus: int = 1,
        memory_mb: int | float | None = None,
        timeout_s: int | float | None = None,
        grace_s: int | float = 30,
        parallel: int = 64,
        retries: int = 0,
    ) -> None:
        self.address, self.cpus, self.retries = address, cpus, retries
        self.limits = Limits(memory_mb, timeout_s, grace_s)
        self._at_a_time = parallel
        self._running: dict[Any, Job] = {}

    @property
    def parallel(self) -> int:
        """Jobs handed to Ray at a time."""
        return self._at_a_time

    def check(self, jobs: Iterable[Job]) -> None:
        """Join the cluster; every job fits on one of its machines.

        Raises:
            UserError: Ray is missing or does not answer, or a job is too big.
        """
        ray = _ray()
        if not ray.is_initialized():
            passed = {key: value for key, value in os.environ.items() if key.startswith(PASSED_ON)}
            try:
                ray.init(
                    address=self.address,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    runtime_env={"env_vars": passed},
                )
            except (ConnectionError, RuntimeError, ValueError) as error:
                fix = "ray start --head, or sweep.address=HOST:PORT, or sweep.address=null to start one here"
                first = str(error).strip().splitlines()[0]
                raise UserError(f"no Ray cluster ({first})", where="sweep.address", fix=fix) from error
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        for job in jobs:
            if job.nodes > 1 or job.devices == 0:
                raise UserError(
                    "a job on Ray has one machine and a given number of devices",
                    where="trainer.num_nodes" if job.nodes > 1 else "trainer.devices",
                    fix="trainer.devices=1; use sweep=slurm for several machines",
                )
            wanted = self._resources(job)
            if not any(all(have.get(key, 0) >= value for key, value in wanted.items()) for have in machines):
                raise UserError(
                    f"no machine of the cluster has {wanted}",
                    where="trainer.devices",
                    fix="set trainer.devices, trainer=cpu or sweep.cpus",
                )

    def room(self, job: Job) -> bool:
        """Ray keeps the queue, up to a length."""
        return len(self._running) < self._at_a_time

    def start(self, job: Job) -> None:
        """Hand it to Ray."""
        ray = _ray()
        wanted = self._resources(job)
        task = ray.remote(_attempt).options(
            num_cpus=wanted["CPU"],
            num_gpus=wanted.get("GPU", 0),
            max_retries=0,
            name=job.label or job.directory,
        )
        self._running[task.remote(job, self.limits, self.cpus)] = job

    def ended(self) -> list[tuple[Job, Status]]:
        """Jobs that have ended since the last call."""
        if not self._running:
            return []
        ray = _ray()
        done, _ = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        ended = []
        for reference in done:
            job = self._running.pop(reference)
            try:
                ray.get(reference)
                status = read_status(job.folder)
            except ray.exceptions.RayError as error:  # its machine is gone, or Ray killed it
                first = str(error).strip().splitlines()[0]
                status = replace(read_status(job.folder), state="failed", reason=f"Ray: {first}").write(
                    job.folder
                )
            ended.append((job, status))
        return ended

    def stop(self, job: Job, reason: str) -> None:
        """Ask it to stop, through its directory."""
        ask_to_stop(job, reason)

    def close(self, interrupted: bool) -> None:
        """Leave the cluster, which ends what still runs."""
        ray = _ray()
        for job in self._running.values():
            ask_to_stop(job, "the sweep was stopped", "interrupted")
        if self._running:
            ray.wait(list(self._running), num_returns=len(self._running), timeout=self.limits.grace_s + 10)
        ray.shutdown()

    def _resources(self, job: Job) -> dict[str, int]:
        cpu = {"CPU": self.cpus * job.devices}
        return cpu if job.accelerator == "cpu" else cpu | {"GPU": job.devices}


def _attempt(job: Job, limits: Limits, cpus: int) -> None:
    """What a Ray worker does. Ray has set CUDA_VISIBLE_DEVICES."""
    place = f"Ray node {_ray().get_runtime_context().get_node_id()[:8]}"
    environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(cpus))}
    while not (job.folder / RESULT).is_file():
        try:
            Attempt(job, limits, place, environment, job.devices).wait()
            return
        except Busy:
            time.sleep(1)


def _ray() -> Any:
    """The library, by its name: it is an extra, and this module bears the same name."""
    try:
        return import_module("ray")
    except ImportError as error:
        raise UserError("sweep=ray needs Ray", where="sweep", fix="pip install 'sr-lab[ray]'") from error
