"""What runs left on disk, read for showing: a missing or damaged file is a remark, not the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np

from sr_lab.errors import UserError
from sr_lab.io.images import read_image
from sr_lab.report.collection import Run
from sr_lab.report.traces import Trace, read_trace

T = TypeVar("T")


class Files:
    """Reads files of runs; each answer is None where the run names no file or the file is not usable.

    Attributes:
        faults: every file that a record names and that could not be shown, with the reason.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []

    def picture(self, run: Run, name: str | None) -> np.ndarray | None:
        """(H, W, C) in [0, 1]."""
        return self._read(run, name, lambda path: read_image(path).pixels)

    def kernel(self, run: Run, name: str | None) -> np.ndarray | None:
        """(k, k)."""
        return self._read(run, name, _read_kernel)

    def trace(self, run: Run, name: str | None, steps: str = "iteration") -> Trace | None:
        """The columns of a trace."""
        return self._read(run, name, lambda path: read_trace(path, steps))

    def _read(self, run: Run, name: str | None, read: Callable[[Path], T]) -> T | None:
        if name is None:
            return None
        try:
            # a record from elsewhere must not bring other files of this machine into the page
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
                raise ValueError("outside the folder of the run")
            return read(run.folder / name)
        except UserError as error:
            reason = error.what
        except OSError as error:
            reason = error.strerror or str(error)
        except (ValueError, EOFError) as error:
            reason = str(error)
        self.faults.append(f"{run.name}/{name}: {reason}")
        return None


def _read_kernel(path: Path) -> np.ndarray:
    kernel = np.load(path, allow_pickle=False)
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or kernel.dtype.kind != "f":
        raise ValueError(f"no kernel, but {kernel.dtype} of shape {kernel.shape}")
    return kernel
