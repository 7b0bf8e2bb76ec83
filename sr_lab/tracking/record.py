"""The record of a run: `result.json`, written last and atomically, and one CSV row per image and metric."""

import csv
import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sr_lab.errors import UserError
from sr_lab.io.atomic import write_json, write_text

RESULT = "result.json"
FORMAT = 1


@dataclass
class Measures:
    """One metric over all images of a run.

    Args:
        mean: mean of `per_image`.
        protocol: how it was measured, one line (colour space, border, rounding, peak).
        higher_is_better: a fact of the metric.
        unit: `dB`, `` and so on.
        per_image: value of every image id.
    """

    mean: float
    protocol: str
    higher_is_better: bool
    unit: str
    per_image: dict[str, float]


@dataclass
class ImageFiles:
    """What a run left of one image; paths are relative to the run directory, absent files are None.

    `lr`, `bicubic`, `sr`, `hr`: pictures; `kernel`, `true_kernel`: .npy arrays (k, k); `figure`: the side-by-side PNG;
    `trace`: CSV with a column `iteration` and others (loss, psnr_y, kernel_psnr); `array`: `sr` as .npy (C, H, W), if
    it was asked for.
    """

    seconds: float
    lr: str | None = None
    bicubic: str | None = None
    sr: str | None = None
    hr: str | None = None
    kernel: str | None = None
    true_kernel: str | None = None
    figure: str | None = None
    trace: str | None = None
    array: str | None = None


@dataclass
class Record:
    """All facts of one whole run.

    Args:
        name: experiment name; `signature` and `seed` tell its repetitions apart.
        labels: the choices a table is made of: scene, dataset, degradation, prior, backbone, method, scale.
        command: what to type to repeat it.
        config: the frozen, resolved config.
        code: commit and whether the checkout was dirty.
        seconds, peak_memory_mb: of the whole run.
        metrics: by metric name.
        images: by image id.
        notes: what a reader must know (metrics left out and why, ...).
        fit: figures of training, if the method was fitted.
    """

    name: str
    signature: str
    seed: int
    status: str
    labels: dict[str, str | int]
    command: str
    created: str
    config: dict[str, Any]
    code: dict[str, Any]
    versions: dict[str, str]
    device: str
    seconds: float
    peak_memory_mb: float
    metrics: dict[str, Measures] = field(default_factory=dict)
    images: dict[str, ImageFiles] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    fit: dict[str, float] = field(default_factory=dict)
    format: int = FORMAT

    def write(self, directory: Path) -> Path:
        """Write `metrics.csv`, then `result.json`: a record exists only if the run is whole."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["image", "metric", "value", "unit", "protocol"])
        for metric, measures in self.metrics.items():
            for image, value in measures.per_image.items():
                writer.writerow([image, metric, value, measures.unit, measures.protocol])
        write_text(directory / "metrics.csv", table.getvalue())
        path = directory / RESULT
        write_json(path, asdict(self))
        return path

    @classmethod
    def read(cls, path: Path) -> "Record":
        """Read a `result.json`, or the one in a run directory.

        Raises:
            UserError: missing, not JSON, or of another format.
        """
        path = path / RESULT if path.is_dir() else path
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data.get("format") != FORMAT:
                raise ValueError(f"record format {data.get('format')}, this version reads {FORMAT}")
            data["metrics"] = {name: Measures(**value) for name, value in data["metrics"].items()}
            data["images"] = {name: ImageFiles(**value) for name, value in data["images"].items()}
            return cls(**data)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(
                f"not a readable record ({error})", where=str(path), fix="run it again"
            ) from error


def find_records(root: Path) -> list[Path]:
    """All `result.json` files below a folder, sorted."""
    return sorted(path for path in root.rglob(RESULT) if path.is_file())
