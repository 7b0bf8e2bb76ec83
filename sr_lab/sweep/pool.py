"""Places for jobs: GPUs by id, or CPU slots."""

import os
import subprocess
from collections.abc import Sequence


class Pool:
    """Places, each of which so many jobs may share.

    Args:
        places: names of GPUs or slots.
        share: jobs on one place at a time.
    """

    def __init__(self, places: Sequence[str], share: int = 1) -> None:
        self._free = dict.fromkeys(places, share)

    def __len__(self) -> int:
        return len(self._free)

    def take(self, count: int) -> list[str] | None:
        """So many different places, the emptiest first; None if there are not enough."""
        open_places = sorted((p for p, free in self._free.items() if free), key=lambda p: -self._free[p])
        if len(open_places) < count:
            return None
        for place in open_places[:count]:
            self._free[place] -= 1
        return open_places[:count]

    def give(self, places: Sequence[str]) -> None:
        """Give places back."""
        for place in places:
            self._free[place] += 1


def gpus() -> list[str]:
    """Ids of the GPUs that this process may use, asked of the driver's tool: torch is not needed for it."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [item.strip() for item in visible.split(",") if item.strip() not in ("", "-1")]
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.split()


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
