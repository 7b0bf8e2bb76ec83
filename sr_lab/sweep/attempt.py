"""One attempt at one job: a fresh process tree, watched until it ends. Every launcher runs jobs through this."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from sr_lab.io.atomic import write_json
from sr_lab.sweep.job import LOG, Job
from sr_lab.sweep.worker import COMMAND, FAULT, OWNER, PREEMPTED, SHA256
from sr_lab.tracking.record import RESULT
from sr_lab.tracking.status import Busy, State, Status, boot_id, host, stored, take_lock

# of a distributed run or cluster job that the launcher itself may be part of
FOREIGN = (
    *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "GROUP_RANK", "GROUP_WORLD_SIZE"),
    *("ROLE_", "MASTER_", "TORCHELASTIC_", "SLURM_", "SUBMITIT_", "PMI_", "OMPI_"),
)
STOP = "stop.json"  # by which a sweep on another machine asks a job to stop
LOOK = 0.25  # seconds between looks at memory
LOG_LINES = 20


@dataclass(frozen=True)
class Limits:
    """What a job may use: resident megabytes and seconds (None: no limit), and seconds to stop when asked."""

    memory_mb: int | float | None = None
    timeout_s: int | float | None = None
    grace_s: int | float = 30


@dataclass(frozen=True)
class Nodes:
    """This machine's part in a job of several: its rank among `count`, and where the first one listens."""

    rank: int
    count: int
    address: str


class Attempt:
    """A job's process tree.

    Args:
        job: frozen already.
        limits: that end it.
        place: for people: which GPUs, slot or cluster job.
        environment: added to this process's own, such as CUDA_VISIBLE_DEVICES.
        devices: processes on this machine.
        nodes: of a job that spans machines; only the first keeps status and lock.

    Raises:
        Busy: another process has the job's lock.
    """

    def __init__(
        self,
        job: Job,
        limits: Limits,
        place: str = "",
        environment: Mapping[str, str] | None = None,
        devices: int = 1,
        nodes: Nodes | None = None,
    ) -> None:
        self.job, self.limits = job, limits
        self.first = nodes is None or nodes.rank == 0
        self._lock = take_lock(job.folder) if self.first else None
        if self.first and self._lock is None:
            raise Busy
        self._final: Status | None = None
        self._asked: tuple[State, str] | None = None
        self._deadline = float("inf")
        self._looked = 0.0
        self._listed = 0.0
        self._tree: list[psutil.Process] = []
        self.started = time.monotonic()
        before = stored(job.folder)
        self.status = Status("running", attempt=before.attempt + 1, host=host(), boot=boot_id(), place=place)
        if self.first:
            job.freeze()
            _sweep_up(job.folder)
        with (job.folder / LOG).open("ab") as log:
            log.write(f"--- attempt {self.status.attempt} on {self.status.host}, {place}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                command(job, devices, nodes),
                cwd=job.cwd,
                env=child_environment(job, environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # a cluster may send its signal for requeueing to every process of a job
                preexec_fn=_ignore_requeue if "SLURM_JOB_ID" in os.environ else None,
                pass_fds=() if self._lock is None else (self._lock,),
            )
        self._head = psutil.Process(self._process.pid)
        self.status = replace(self.status, pid=self._process.pid)
        if self.first:
            self.status.write(job.folder)

    def poll(self) -> Status | None:
        """Look at it: the final status once it has ended, else None."""
        if self._final is not None:
            return self._final
        code = self._process.poll()
        if code is None:
            self._watch()
            return None
        _kill(self._tree)  # what a dead head left behind
        status = replace(self._outcome(code), seconds=round(time.monotonic() - self.started, 2))
        if self.first:
            (self.job.folder / FAULT).unlink(missing_ok=True)
            status.write(self.job.folder)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        self._final = status
        return status

    def wait(self) -> Status:
        """Watch until it has ended."""
        while (status := self.poll()) is None:
            time.sleep(0.1)
        return status

    def stop(self, state: State, reason: str) -> None:
        """Ask it to stop, with its checkpoint written; it is killed if that takes longer than the grace."""
        if self._asked is None:
            self._asked = (state, reason)
            self._deadline = time.monotonic() + self.limits.grace_s
            self._process.terminate()

    def kill(self) -> None:
        """End the whole tree now."""
        self._tree = self._processes()
        _kill(self._tree)

    def _watch(self) -> None:
        now = time.monotonic()
        if now > self._deadline:
            self.kill()
            return
        if now - self._looked < LOOK:
            return
        self._looked = now
        self._heed()
        if now - self._listed > 8 * LOOK:  # walking the process table costs more than asking one process
            self._listed, self._tree = now, self._processes()
        used = _resident_mb(self._tree)
        self.status = replace(self.status, peak_memory_mb=round(max(used, self.status.peak_memory_mb), 1))
        limit, allowed = self.limits.memory_mb, self.limits.timeout_s
        if limit is not None and used > limit and self._asked is None:
            self._asked = ("failed", f"out of memory: used {used:.0f} MB, sweep.memory_mb allows {limit:g}")
            self.kill()
        elif allowed is not None and now - self.started > allowed:
            self.stop("failed", f"ran longer than the {allowed:g} s that sweep.timeout_s allows")

    def _heed(self) -> None:
        """Stop if the directory holds a wish for it."""
        try:
            wish = json.loads((self.job.folder / STOP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        self.stop(wish["state"], wish["reason"])

    def _outcome(self, code: int) -> Status:
        """State, reason and detail from what the tree left behind."""
        folder, status = self.job.folder, self.status
        if (folder / RESULT).is_file():
            return replace(status, state="complete")
        if self._asked is not None:
            state, reason = self._asked
            return replace(status, state=state, reason=reason)
        status = replace(status, state="failed")
        try:
            return replace(status, **json.loads((folder / FAULT).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            pass
        if code in (PREEMPTED, -signal.SIGTERM):
            return replace(status, state="interrupted", reason="stopped by SIGTERM")
        if code < 0:
            reason = f"killed by {signal.Signals(-code).name} at {status.peak_memory_mb:.0f} MB"
            if -code == signal.SIGKILL:
                reason += ": by hand, or by the system for want of memory"
        else:
            said = "ended without a record" if code == 0 else f"ended with exit code {code}"
            reason = f"{said}; its log says why"
        return replace(status, reason=reason, detail=_tail(folder / LOG))

    def _processes(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return [self._head, *self._head.children(recursive=True)]
        return self._tree


def ask_to_stop(job: Job, reason: str, state: State = "pruned") -> None:
    """Ask whichever machine runs a job to stop it."""
    write_json(job.folder / STOP, {"state": state, "reason": reason})


def command(job: Job, devices: int, nodes: Nodes | None = None) -> list[str]:
    """What to start: the worker itself, or torchrun over several."""
    worker = ["-m", "sr_lab.sweep.worker", str(job.folder)]
    if devices == 1 and nodes is None:
        return [sys.executable, *worker]
    where = (
        ["--standalone"]
        if nodes is None
        else [
            f"--nnodes={nodes.count}",
            f"--node-rank={nodes.rank}",
            f"--master-addr={nodes.address}",
            f"--master-port={_port(job)}",
        ]
    )
    return [sys.executable, "-m", "torch.distributed.run", *where, f"--nproc-per-node={devices}", *worker]


def child_environment(job: Job, added: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without any distributed run's, and what the worker is to know."""
    kept = {key: value for key, value in os.environ.items() if not _foreign(key)}
    this = psutil.Process()
    return {
        **kept,
        "PYTHONUNBUFFERED": "1",
        OWNER: f"{this.pid}:{this.create_time()}",
        SHA256: job.sha256,
        COMMAND: job.command,
        **added,
    }


def _ignore_requeue() -> None:
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def _foreign(key: str) -> bool:
    return any(key.startswith(name) if name.endswith("_") else key == name for name in FOREIGN)


def _port(job: Job) -> int:
    """A port that all nodes of a job agree on without talking."""
    return 20000 + int(job.sha256[:8], 16) % 20000


def _sweep_up(folder: Path) -> None:
    """Remove what killed attempts left half-written. The lock is held: nobody else writes here."""
    for name in (FAULT, STOP):
        (folder / name).unlink(missing_ok=True)
    for path in folder.rglob(".partial-*"):
        path.unlink(missing_ok=True)


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _resident_mb(processes: Sequence[psutil.Process]) -> float:
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 2**20


def _tail(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return "\n".join(text.splitlines()[-LOG_LINES:])
