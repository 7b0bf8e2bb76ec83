from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sr_lab.io.images import write_image
from sr_lab.tracking.record import ImageFiles, Measures, Record


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """A whole run of two images in `tmp_path`, with traces, kernels, figures, curves and weights."""
    random = np.random.default_rng(0)
    images = {}
    for image in ("astronaut", "cat"):
        folder = tmp_path / "images" / image
        write_image(folder / "figure.png", random.random((8, 12, 3), dtype=np.float32))
        for kind in ("kernel", "true_kernel"):
            np.save(folder / f"{kind}.npy", random.random((5, 5), dtype=np.float32))
        (folder / "trace.csv").write_text("iteration,loss,psnr_y\n0,2.0,20\n10,1.0,nan\n", encoding="utf-8")
        names = {kind: f"images/{image}/{kind}.npy" for kind in ("kernel", "true_kernel")}
        images[image] = ImageFiles(
            1.5, figure=f"images/{image}/figure.png", trace=f"images/{image}/trace.csv", **names
        )
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / "metrics.csv").write_text(
        "epoch,l1,step,val_psnr\n0,0.5,49,\n0,,99,26.5\n", "utf-8"
    )
    (tmp_path / "weights.pt").write_bytes(b"0" * 1000)
    (tmp_path / "config.yaml").write_text("scale: 2\n", encoding="utf-8")
    made = Record(
        name="study",
        signature="0123456789",
        seed=3,
        status="complete",
        labels={"scene": "natural", "prior": "fkp", "method": "zero_shot", "scale": 2},
        command="sr-lab run",
        created="2026-11-20T10:00:00+00:00",
        config={"scale": 2, "prior": {"name": "fkp"}, "tracking": {"project": "lab", "entity": None}},
        code={"commit": "ab", "dirty": False},
        versions={},
        device="cpu",
        seconds=3.0,
        peak_memory_mb=512.0,
        metrics={
            "psnr_y": Measures(25.0, "Y, border 2", True, "dB", {"astronaut": 20.0, "cat": 30.0}),
            "lpips": Measures(0.5, "alex", False, "", {"astronaut": 0.5}),
        },
        images=images,
        fit={"steps": 100.0},
    )
    made.write(tmp_path)
    return made
