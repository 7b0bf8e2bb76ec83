"""`sr-lab doctor`: what this machine has, and a fix for each thing missing."""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from sr_lab.config.paths import conf_dir, data_root
from sr_lab.errors import UserError

SHIPPED_WEIGHTS = ("fkp_x2", "fkp_x3", "fkp_x4", "usrnet_small")
DATASETS = (
    "natural/set5", "natural/set14", "natural/bsd400", "natural/fkp_test", "hyperspectral/train", "hyperspectral/test",
    "sar/train", "sar/test",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One line of the examination. `broken` keeps sr-lab from working, `missing` only some of it."""

    state: Literal["ok", "missing", "broken"]
    what: str
    detail: str
    fix: str = ""


def examine() -> list[Finding]:
    """All findings, in the order they are shown."""
    return [*_python(), *_devices(), *_packages(), *_weights(), *_data(), *_place()]


def as_text(findings: list[Finding]) -> str:
    """Findings line by line, each fix below its own."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<8} {finding.what:<18} {finding.detail}")
        if finding.fix:
            lines.append(f"{'':<28}fix: {finding.fix}")
    return "\n".join(lines)


def _python() -> Iterator[Finding]:
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _devices() -> Iterator[Finding]:
    import torch

    yield Finding(
        "ok", "torch", f"{torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} CPUs"
    )
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            yield Finding("ok", f"cuda:{index}", f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB")
        return
    yield Finding(
        "missing", "GPU", "none that torch can use", "not needed; on the CPU a zero-shot image takes minutes"
    )
    policy = os.environ.get("OMP_WAIT_POLICY", "")
    if policy.upper() == "PASSIVE":
        yield Finding("ok", "OMP_WAIT_POLICY", "PASSIVE (sr-lab's own choice unless you set another)")
    else:
        yield Finding(
            "missing",
            "OMP_WAIT_POLICY",
            f"'{policy}': spinning threads slow a busy CPU",
            "unset OMP_WAIT_POLICY",
        )


def _packages() -> Iterator[Finding]:
    optional = {
        "pyiqa": "LPIPS and no-reference metrics",
        "h5py": "MATLAB v7.3 and HDF5 files",
        "spectral": "ENVI images",
        "rasterio": "GeoTIFF",
        "sarkit": "SICD images",
        "optuna": "sr-lab search",
        "submitit": "sweep=slurm",
        "ray": "sweep=ray",
    }
    extras = {
        "pyiqa": "pyiqa", "h5py": "hdf5", "spectral": "hyperspectral", "rasterio": "hyperspectral", "sarkit": "sar",
        "optuna": "search", "submitit": "slurm", "ray": "ray",
    }  # fmt: skip
    for name in ("pytorch-lightning", "hydra-core", "omegaconf", "kornia", "wandb", *optional):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            if name in optional:
                yield Finding(
                    "missing", name, f"optional: {optional[name]}", f"pip install 'sr-lab[{extras[name]}]'"
                )
            else:
                yield Finding("broken", name, "not installed", f"pip install {name}")
        else:
            yield Finding("ok", name, version)


def _weights() -> Iterator[Finding]:
    from sr_lab.weights.store import all_entries, load_weights

    entries = all_entries()
    for name in dict.fromkeys((*SHIPPED_WEIGHTS, *sorted(entries))):
        fix = "reinstall sr-lab" if name in SHIPPED_WEIGHTS else "sr-lab weights import FILE"
        if name not in entries:
            yield Finding("broken", name, "weights are missing", fix)
            continue
        try:
            load_weights(name)
        except UserError as error:
            yield Finding("broken", name, error.what, fix)
        else:
            yield Finding("ok", name, f"{entries[name][1].kind} weights, sha256 as in the manifest")


def _data() -> Iterator[Finding]:
    root = data_root()
    present = [name for name in DATASETS if (root / name).is_dir()]
    missing = [name for name in DATASETS if name not in present]
    if present:
        yield Finding("ok", "data", f"{root}: {', '.join(present)}")
    if missing:
        yield Finding(
            "missing",
            "data",
            f"no {', '.join(missing)} below {root}",
            "export SR_LAB_DATA=/folder/that/holds/natural; dataset=skimage and dataset=folder need none",
        )


def _place() -> Iterator[Finding]:
    conf = conf_dir()
    if (conf / "config.yaml").is_file():
        yield Finding("ok", "conf", str(conf))
    else:
        yield Finding("broken", "conf", f"no config.yaml in {conf}", "reinstall sr-lab")
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    if free > 2:
        yield Finding("ok", "disk", f"{free:.0f} GiB free here")
    else:
        yield Finding(
            "missing", "disk", f"only {free:.1f} GiB free here", "free some space, or set out=DIR for runs"
        )
