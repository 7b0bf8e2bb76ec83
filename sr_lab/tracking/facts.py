"""Facts about the machine, the code and the packages that a record states."""

import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = (
    "sr-lab",
    "torch",
    "pytorch-lightning",
    "hydra-core",
    "omegaconf",
    "kornia",
    "numpy",
    "scipy",
    "wandb",
    "pyiqa",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on; absent ones are left out."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def code() -> dict[str, Any]:
    """Commit of the checkout and whether code or configs differ from it; None for an installed package.

    Other files do not count: a study writes its results into the checkout while it runs.
    """
    here = Path(__file__).resolve().parent
    commit = _git(here, "rev-parse", "HEAD")
    if commit is None or _git(here, "ls-files", "--error-unmatch", __file__) is None:
        return {"commit": None, "dirty": None}
    changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", "..", "../../conf")
    return {"commit": commit, "dirty": bool(changed)}


def device_name(device: str) -> str:
    """What computed: GPU name, or CPU model and the threads in use."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    return f"{device} ({model}, {torch.get_num_threads()} threads)"


def peak_memory_mb(device: str) -> float:
    """Peak memory of this process: allocated on the GPU, else resident on the host."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
