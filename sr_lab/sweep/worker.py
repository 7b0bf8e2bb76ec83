"""The inside of a job: `python -m sr_lab.sweep.worker RUN_DIRECTORY` does the run whose config lies there.

With several devices torchrun starts one such process a device. Each checks that it reads the very config that was
frozen, dies with the process that launched the job, and leaves `fault.json` if it fails.
"""

import contextlib
import hashlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from sr_lab.errors import UserError
from sr_lab.sweep.job import CONFIG

FAULT = "fault.json"
OWNER, SHA256, COMMAND = "SR_LAB_OWNER", "SR_LAB_CONFIG_SHA256", "SR_LAB_COMMAND"
PREEMPTED = 128 + signal.SIGTERM
LINES = 40  # of a traceback worth keeping


def main() -> None:
    """Do the run of the directory given, and say with the exit code how it went."""
    directory = Path(sys.argv[1])
    _die_with(os.environ.get(OWNER, ""))
    signal.signal(signal.SIGTERM, _stop)
    try:
        work(directory, os.environ.get(SHA256), os.environ.get(COMMAND, ""))
    except BaseException as error:
        if isinstance(
            error, SystemExit
        ):  # Lightning leaves with code 0 after SIGTERM, its checkpoint written
            sys.exit(PREEMPTED)
        traceback.print_exc()
        leave_fault(directory, error)
        sys.exit(2 if isinstance(error, UserError) else 1)


def work(directory: Path, sha256: str | None, command: str) -> None:
    """Run the frozen config of a directory.

    Raises:
        UserError: the config is not the one that was frozen, or does not belong to this directory.
    """
    from sr_lab.run import run, run_directory

    config = read_config(directory, sha256)
    if run_directory(config).resolve() != directory.resolve():
        raise UserError(
            f"this config belongs to {run_directory(config)}",
            where=str(directory / CONFIG),
            fix="weights or code changed since it was frozen: start the sweep again",
        )
    run(config, command)


def read_config(directory: Path, sha256: str | None) -> dict[str, Any]:
    """The frozen config, which must have the hash given."""
    from omegaconf import OmegaConf

    text = (directory / CONFIG).read_text(encoding="utf-8")
    if sha256 and hashlib.sha256(text.encode()).hexdigest() != sha256:
        raise UserError(
            "not the config that was frozen for this job",
            where=str(directory / CONFIG),
            fix="leave the files of a running sweep alone, and start it again",
        )
    config = OmegaConf.to_container(OmegaConf.create(text))
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def fault_of(error: BaseException) -> dict[str, Any]:
    """Reason, detail and finality of a status, from an exception."""
    name = type(error).__name__
    memory = isinstance(error, MemoryError) or name == "OutOfMemoryError"  # torch's
    message = str(error) if isinstance(error, UserError) else f"{name}: {error}".strip(": ")
    return {
        "reason": (f"out of memory: {message}" if memory else message).splitlines()[0],
        "detail": "\n".join("".join(traceback.format_exception(error)).splitlines()[-LINES:]),
        "final": isinstance(error, UserError),
    }


def leave_fault(directory: Path, error: BaseException) -> None:
    """Write what went wrong; of several processes the first one is the cause, the others its victims."""
    with contextlib.suppress(FileExistsError), (directory / FAULT).open("x", encoding="utf-8") as file:
        json.dump(fault_of(error), file)


def _stop(_: int, __: FrameType | None) -> None:
    """SIGTERM: stop now, unless Lightning is at work, which writes a checkpoint at the next step's end."""
    if signal.getsignal(signal.SIGTERM) is _stop:
        raise SystemExit(PREEMPTED)


def _die_with(owner: str) -> None:
    """End this process when its launcher is gone. `owner` is `pid:start time`; polling reaches any depth of tree."""
    if not owner:
        return
    import psutil

    pid, _, started = owner.partition(":")

    def alive() -> bool:
        try:
            process = psutil.Process(int(pid))
            return process.create_time() == float(started) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def watch() -> None:
        while alive():
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="owner watch").start()


if __name__ == "__main__":
    main()
