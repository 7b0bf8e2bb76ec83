"""A grid small enough to run in tests, and the means to run it as a person would."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
TINY = [
    "experiment=bicubic", "tracking=none", "dataset.images.names=[cat]", "dataset.images.crop=[100,100,64,64]",
    "scale=2", "allow_targets=[sweeping.]", "method._target_=sweeping.faulty.Faulty",
]  # fmt: skip


class Lab:
    """The command line in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults = root / "faults"
        self.marks = root / "marks"
        self.marks.mkdir()
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}",
            "FAULTS": str(self.faults),
            "MARKS": str(self.marks),
            "OMP_NUM_THREADS": "1",
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "sr_lab", *arguments],
            cwd=self.root, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def do(self, *arguments: str, timeout: float = 1500) -> "subprocess.CompletedProcess[str]":
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def records(self, out: str = "runs") -> dict[str, dict[str, Any]]:
        """What seeds fix of every record, by its directory."""
        found = {}
        for path in sorted((self.root / out).rglob("result.json")):
            data = json.loads(path.read_text())
            kept = ("signature", "seed", "status", "labels", "config", "metrics", "notes", "fit")
            pictures = {
                str(file.relative_to(path.parent)): file.read_bytes()
                for file in sorted(path.parent.glob("images/**/*")) if file.suffix in (".png", ".npy")
            }  # fmt: skip
            images = {
                image: {key: value for key, value in files.items() if key != "seconds"}
                for image, files in data["images"].items()
            }
            config = {key: value for key, value in data["config"].items() if key != "out"}
            found[str(path.parent.relative_to(self.root / out))] = {
                **{key: data[key] for key in kept}, "config": config, "pictures": pictures, "images": images,
            }  # fmt: skip
        return found

    def statuses(self, out: str = "runs") -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted((self.root / out).rglob("status.json"))]
