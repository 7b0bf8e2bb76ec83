from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sr_lab.io.images import write_image
from sr_lab.tracking.record import ImageFiles, Measures, Record

LABELS: dict[str, str | int] = {
    "scene": "natural",
    "dataset": "photos",
    "degradation": "blur",
    "prior": "fkp",
    "method": "zero_shot",
    "scale": 2,
}


def _measures(values: Mapping[str, float], **facts: Any) -> Measures:
    known: dict[str, Any] = {"protocol": "Y, border 2", "higher_is_better": True, "unit": "dB"} | facts
    mean = known.pop("mean", sum(values.values()) / max(len(values), 1))
    return Measures(mean=mean, per_image=dict(values), **known)


def _write_pictures(folder: Path, image: str, seed: int, *, hr: bool = True, size: int = 24) -> ImageFiles:
    """All that a run can leave of one x2 image."""
    random = np.random.default_rng(seed)
    files = ImageFiles(seconds=1.5)
    sizes = {"lr": size // 2, "bicubic": size, "sr": size} | ({"hr": size} if hr else {})
    for kind, side in sizes.items():
        write_image(folder / image / f"{kind}.png", random.random((side, side, 3), dtype=np.float32))
        setattr(files, kind, f"{image}/{kind}.png")
    for kind in ("kernel", "true_kernel"):
        kernel = random.random((5, 5), dtype=np.float32)
        np.save(folder / image / f"{kind}.npy", kernel / kernel.sum())
        setattr(files, kind, f"{image}/{kind}.npy")
    rows = "\n".join(f"{i},{10 / (i + 1)},{20 + i}" for i in range(0, 40, 10))
    (folder / image / "trace.csv").write_text(f"iteration,loss,psnr_y\n{rows}\n", encoding="utf-8")
    files.trace = f"{image}/trace.csv"
    return files


@pytest.fixture
def measures() -> Callable[..., Measures]:
    """One metric from its values by image; facts by name (protocol, unit, ...)."""
    return _measures


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a record below `tmp_path / "runs"` and answer its folder."""

    def make(
        where: str,
        metrics: Mapping[str, Mapping[str, float] | Measures] | None = None,
        *,
        seed: int = 0,
        pictures: bool = False,
        labels: Mapping[str, str | int] | None = None,
        **changes: Any,
    ) -> Path:
        folder = tmp_path / "runs" / where
        wanted = {"psnr_y": {"a": 20.0, "b": 30.0}} if metrics is None else metrics
        found = {key: m if isinstance(m, Measures) else _measures(m) for key, m in wanted.items()}
        images = dict.fromkeys(image for m in found.values() for image in m.per_image)
        files = {
            image: _write_pictures(folder, f"image{number}", number) if pictures else ImageFiles(seconds=1.5)
            for number, image in enumerate(images)
        }
        facts: dict[str, Any] = {
            "name": "study",
            "signature": "0123456789abcdef",
            "status": "done",
            "command": f"sr-lab run prior=fkp seed={seed}",
            "created": "2026-11-20T10:00:00+00:00",
            "config": {},
            "code": {"commit": "0123456789abcdef", "dirty": False},
            "versions": {"torch": "2.14.1"},
            "device": "cpu",
            "seconds": 3.0,
            "peak_memory_mb": 512.0,
            "images": files,
        }
        all_labels = LABELS | dict(labels or {})
        Record(seed=seed, labels=all_labels, metrics=found, **(facts | changes)).write(folder)
        return folder

    return make
