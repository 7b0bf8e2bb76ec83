"""Recorder: measures every restored image and writes what a person wants to see of it."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from torch import Tensor

from sr_lab.data.degraded import DegradedImages
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.errors import UserError
from sr_lab.io.atomic import atomic_write, write_json, write_text
from sr_lab.io.images import write_image
from sr_lab.metrics.table import evaluate, needs_again
from sr_lab.report.figure import side_by_side
from sr_lab.scenes.base import View
from sr_lab.tracking.record import ImageFiles, Measures
from sr_lab.tracking.steps import report_step

MEASURES = "measures.json"
PERFECT = 100.0  # dB written for a PSNR without error but rounding, since JSON has no infinity


class Recorder(pl.Callback):
    """Writes `images/<id>/` per image: pictures, kernels, figure, trace and, last, `measures.json`.

    A folder with `measures.json` is whole, so an interrupted run leaves these images out when it goes on.

    Args:
        directory: of the run.
        metrics: names; `name@stage` columns are added for the stages of a method and for aligned bicubic.
        degradation: whose anchor aligns bicubic.
        view: how an image of the scene is shown; None: as it is, in grey or RGB.
        arrays: keep each restored image as numbers too: `sr.npy` (C, H, W), normalised and not clipped.
    """

    def __init__(
        self,
        directory: Path,
        metrics: list[str],
        degradation: Degradation,
        view: View | None = None,
        arrays: bool = False,
    ) -> None:
        self.directory, self.metrics, self.degradation = directory, metrics, degradation
        self.view, self.arrays = view, arrays

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Measure and write each image of a batch."""
        restored: Restored = outputs["restored"]
        batch = batch.to("cpu")
        for index in range(len(batch)):
            self._write(_one(batch, index), _one_restored(restored, index, len(batch)))

    def collect(
        self, samples: DegradedImages
    ) -> tuple[dict[str, Measures], dict[str, ImageFiles], list[str]]:
        """Gather the images of a run, whichever process or attempt restored them."""
        metrics: dict[str, Measures] = {}
        images: dict[str, ImageFiles] = {}
        notes: list[str] = []
        for index in range(len(samples)):
            image_id = samples.image_id(index)
            found = json.loads(
                (image_folder(self.directory, image_id) / MEASURES).read_text(encoding="utf-8")
            )
            images[image_id] = ImageFiles(**found["files"])
            notes += [note for note in found["notes"] if note not in notes]
            for name, item in found["metrics"].items():
                facts = {key: item[key] for key in ("protocol", "higher_is_better", "unit")}
                metrics.setdefault(name, Measures(mean=0.0, per_image={}, **facts)).per_image[image_id] = (
                    item["value"]
                )
        for measures in metrics.values():
            measures.mean = float(np.mean(list(measures.per_image.values())))
        return metrics, images, notes

    def _write(self, sample: Sample, restored: Restored) -> None:
        image_id = sample.image_ids[0]
        folder = image_folder(self.directory, image_id)
        folder.mkdir(parents=True, exist_ok=True)
        bicubic = self.degradation.bicubic(sample.lr)
        values, notes = self._measure(sample, restored, bicubic)
        files = ImageFiles(seconds=round(restored.seconds, 4))
        images = {
            "lr": sample.lr,
            "bicubic": bicubic,
            "sr": restored.sr,
            "hr": sample.hr,
            **restored.stages,
        }
        reference = bicubic if sample.hr is None else sample.hr
        facts = sample.meta.get(image_id, {})
        pictures = {
            name: self._picture(image, reference, facts)
            for name, image in images.items()
            if image is not None
        }
        for name, picture in pictures.items():
            write_image(folder / f"{name}.png", picture)
            if hasattr(files, name):
                setattr(files, name, self._relative(folder / f"{name}.png"))
        if self.arrays:
            with atomic_write(folder / "sr.npy") as file:
                np.save(file, restored.sr[0].detach().cpu().numpy())
            files.array = self._relative(folder / "sr.npy")
        for name, kernel in (("kernel", restored.kernel), ("true_kernel", sample.kernel)):
            if kernel is not None:
                with atomic_write(folder / f"{name}.npy") as file:
                    np.save(file, kernel[0, 0].detach().cpu().numpy())
                setattr(files, name, self._relative(folder / f"{name}.npy"))
        if restored.trace:
            write_text(folder / "trace.csv", _table(restored.trace))
            files.trace = self._relative(folder / "trace.csv")
        side_by_side(
            folder / "figure.png",
            lr=pictures["lr"],
            bicubic=pictures["bicubic"],
            sr=pictures["sr"],
            hr=pictures.get("hr"),
            kernel=None if restored.kernel is None else restored.kernel[0, 0].detach().cpu().numpy(),
            true_kernel=None if sample.kernel is None else sample.kernel[0, 0].numpy(),
            captions=_captions(values),
        )
        files.figure = self._relative(folder / "figure.png")
        write_json(folder / MEASURES, {"metrics": values, "files": vars(files), "notes": notes})
        report_step(self.directory, {name: item["value"] for name, item in values.items()}, image=image_id)

    def _picture(self, image: Tensor, reference: Tensor, facts: dict[str, Any]) -> np.ndarray:
        """(H, W, C) in [0, 1]."""
        if self.view is None:
            return np.ascontiguousarray(image[0].detach().cpu().clamp(0, 1).permute(1, 2, 0).numpy())
        return self.view(image[0].detach().cpu().numpy(), reference[0].detach().cpu().numpy(), facts)

    def _measure(
        self, sample: Sample, restored: Restored, bicubic: Tensor
    ) -> tuple[dict[str, Any], list[str]]:
        gain = sample.meta.get(sample.image_ids[0], {}).get("gain")
        known: dict[str, Any] = {
            "scale": sample.scale,
            "hr": sample.hr,
            "lr": sample.lr,
            "gain": None if gain is None else sample.lr.new_tensor([gain]),
            "inside": getattr(self.degradation, "inside", None),
        }
        evaluation = evaluate(
            self.metrics,
            sr=restored.sr,
            again=self._again(restored.sr, sample),
            **known,
            kernel=restored.kernel,
            true_kernel=sample.kernel,
            band_kernels=_of_bands(restored.band_kernels, restored.kernel, sample.band_kernels),
            true_band_kernels=sample.band_kernels,
        )
        measured = dict(evaluation.measured)
        for stage, image in {**restored.stages, "bicubic": bicubic}.items():
            staged = evaluate(self.metrics, sr=image, again=self._again(image, sample), **known)
            measured |= {f"{name}@{stage}": value for name, value in staged.measured.items()}
        values: dict[str, Any] = {}
        if restored.uncertainty is not None:
            values["kernel_uncertainty"] = {
                "value": restored.uncertainty.item(),
                "protocol": "standard deviation of the log-variance, by the prior's own account; needs no truth",
                "higher_is_better": False,
                "unit": "",
            }
        notes = [*evaluation.notes, *(f"{sample.image_ids[0]}: {remark}" for remark in evaluation.remarks)]
        for name, item in measured.items():
            value = item.values[0]
            if math.isinf(value) or (item.unit == "dB" and value > PERFECT):
                value = math.copysign(PERFECT, value)
                notes.append(f"{name}: no error at all in some image, written as {PERFECT:g} {item.unit}")
            values[name] = {
                "value": value,
                "protocol": item.protocol,
                "higher_is_better": item.higher_is_better,
                "unit": item.unit,
            }
        return values, notes

    def _again(self, sr: Tensor, sample: Sample) -> Tensor | None:
        """SR through the degradation, without noise; None where nobody asks or it is not known."""
        if not needs_again(self.metrics) or sample.hr is None or not self.degradation.forward_is_exact:
            return None
        if (sample.kernel is None) != (self.degradation.kernels is None):
            return None
        try:
            return self.degradation(sr, sample.kernel)
        except UserError:  # it takes no such image: a detected one has no phase to cut
            return None

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.directory).as_posix()


def _of_bands(estimated: Tensor | None, shared: Tensor | None, true: Tensor | None) -> Tensor | None:
    """The estimated kernels of all bands: each its own, or one for all."""
    if true is None or estimated is not None or shared is None:
        return estimated
    return shared.expand(-1, true.shape[1], -1, -1)


def image_folder(directory: Path, image_id: str) -> Path:
    """Where an image's files lie."""
    return directory / "images" / image_id


def finished_images(directory: Path) -> list[str]:
    """Ids of the images that an interrupted run restored already."""
    root = directory / "images"
    return [path.parent.relative_to(root).as_posix() for path in sorted(root.rglob(MEASURES))]


def _one(sample: Sample, index: int) -> Sample:
    def take(value: Tensor | None) -> Tensor | None:
        return None if value is None else value[index : index + 1]

    return Sample(
        lr=sample.lr[index : index + 1],
        scale=sample.scale,
        image_ids=[sample.image_ids[index]],
        hr=take(sample.hr),
        kernel=take(sample.kernel),
        noise_level=take(sample.noise_level),
        band_kernels=take(sample.band_kernels),
        meta=sample.meta,
    )


def _one_restored(restored: Restored, index: int, count: int) -> Restored:
    def take(value: Tensor) -> Tensor:
        return value[index : index + 1].detach().float().cpu()

    return Restored(
        sr=take(restored.sr),
        kernel=None if restored.kernel is None else take(restored.kernel),
        trace=[{k: v[index] if isinstance(v, list) else v for k, v in row.items()} for row in restored.trace],
        seconds=restored.seconds / count,
        stages={name: take(image) for name, image in restored.stages.items()},
        uncertainty=None if restored.uncertainty is None else take(restored.uncertainty),
        band_kernels=None if restored.band_kernels is None else take(restored.band_kernels),
    )


def _table(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _captions(values: dict[str, Any]) -> dict[str, str]:
    """What stands under the panels of the figure."""

    def line(*names: str) -> str:
        return ", ".join(
            f"{values[n]['value']:.2f} {values[n]['unit']}".strip() for n in names if n in values
        )

    return {
        "bicubic": line("psnr_y@bicubic", "psnr_band@bicubic"),
        "sr": line("psnr_y", "psnr_band"),
        "kernel": line("kernel_psnr"),
    }
