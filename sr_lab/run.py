"""One run: build -> fit if it must -> restore -> measure -> record."""

import os
import shutil
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from inspect import signature as parameters_of
from pathlib import Path
from typing import Any

from sr_lab.config.build import build, locate
from sr_lab.config.schema import Settings, validate, without_unused
from sr_lab.config.signature import signature
from sr_lab.io.atomic import write_text
from sr_lab.tracking.record import RESULT, Record


def run_directory(config: Mapping[str, Any]) -> Path:
    """`out/name/signature/seedK`: a run that is started again finds its own folder."""
    return Path(config["out"]).expanduser() / config["name"] / signature(config) / f"seed{config['seed']}"


def run(config: dict[str, Any], command: str = "") -> tuple[Record | None, Path]:
    """Do one run, or take its record if it is whole already.

    Args:
        config: resolved plain config.
        command: what the person typed, for the record.

    Returns:
        the record (None in processes other than the first of a distributed run) and the run directory.

    Raises:
        UserError: the config or the input is at fault.
    """
    config = without_unused(config)
    settings = validate(config)
    directory = run_directory(config)
    if _first_process():
        if (directory / RESULT).exists():
            if not settings.force:
                record = Record.read(directory)
                _keep_weights(settings, directory)
                return record, directory
            shutil.rmtree(directory)
        directory.mkdir(parents=True, exist_ok=True)
        _write_config(directory, config)
    record = _run(settings, config, directory, command)
    if record is not None:
        _keep_weights(settings, directory)
    return record, directory


def _run(settings: Settings, config: dict[str, Any], directory: Path, command: str) -> Record | None:
    import pytorch_lightning as pl
    import torch

    from sr_lab.tracking import facts
    from sr_lab.tracking.recorder import Recorder, finished_images
    from sr_lab.tracking.wandb import mirror
    from sr_lab.training import fit, trainer_for

    if settings.trainer.threads:
        torch.set_num_threads(settings.trainer.threads)
    started, created = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    pl.seed_everything(settings.seed, workers=True, verbose=False)
    parts = parts_of(settings)
    method = method_of(settings, parts)
    data = data_of(settings, parts, finished_images(directory))
    record = Record(
        name=settings.name,
        signature=signature(config),
        seed=settings.seed,
        status="complete",
        labels=labels(settings),
        command=command,
        created=created,
        config=config,
        code=facts.code(),
        versions=facts.versions(),
        device="",
        seconds=0.0,
        peak_memory_mb=0.0,
    )
    first, device = True, None
    if getattr(method, "fits", False):
        trainer, record.fit = fit(settings, method, data, directory)
        first, device = trainer.is_global_zero, trainer.strategy.root_device
    if data is not None and hasattr(method, "restore"):
        view = settings.scene.view
        recorder = Recorder(
            directory,
            settings.metrics,
            parts["degradation"],
            None if view is None else build(view, "scene.view", settings.allowed),
            settings.save_arrays,
        )
        trainer = trainer_for(settings, directory, [recorder])
        trainer.test(method, data, verbose=False)
        trainer.strategy.barrier()
        first, device = trainer.is_global_zero, trainer.strategy.root_device
        if first:
            record.metrics, record.images, record.notes = recorder.collect(data.test_set)
    if not first:
        return None
    record.device = facts.device_name(str(device))
    record.seconds = round(time.perf_counter() - started, 3)
    record.peak_memory_mb = round(facts.peak_memory_mb(str(device)), 1)
    record.write(directory)
    note = mirror(record, directory, settings.tracking)
    if note:
        record.notes.append(note)
        record.write(directory)
    return record


def _keep_weights(settings: Settings, directory: Path) -> None:
    """Register what was fitted under the name that the config gives it, if any."""
    if settings.save_weights:
        from sr_lab.weights.keep import ship

        ship(directory, settings.save_weights, licence="unknown", notes="")


def labels(settings: Settings) -> dict[str, str | int]:
    """The choices a table is made of."""
    found: dict[str, str | int] = {"scene": settings.scene.name, "scale": settings.scale}
    for part in ("dataset", "degradation", "prior", "start", "backbone", "solver", "method"):
        node = getattr(settings, part)
        name = node.get("name") if isinstance(node, dict) else getattr(node, "name", None)
        if name:
            found[part] = name
    return found


def parts_of(settings: Settings) -> dict[str, Any]:
    """Everything a method may be given, built from its node."""
    return {
        part: build(node, part, settings.allowed)
        for part in ("degradation", "prior", "start", "backbone", "solver")
        if (node := getattr(settings, part)) is not None
    }


def method_of(settings: Settings, parts: dict[str, Any]) -> Any:
    """The method, given the parts its constructor names."""
    target = locate(settings.method["_target_"], "method", settings.allowed)
    wanted = {name: part for name, part in parts.items() if name in parameters_of(target).parameters}
    method = build(settings.method, "method", settings.allowed, **wanted)
    if settings.scene.components and getattr(method, "pictures", False):
        from sr_lab.methods.eigenspace import InEigenspace

        method = InEigenspace(method, settings.scene.components)
    if settings.scene.destripe and hasattr(method, "restore"):
        from sr_lab.methods.destriped import Destriped

        method = Destriped(method)
    if "degradation" in parts and hasattr(method, "bind"):
        method.bind(parts["degradation"], settings.seed)
    return method


def data_of(settings: Settings, parts: Mapping[str, Any], done: Collection[str] = ()) -> Any:
    """The LightningDataModule, or None where nothing is restored.

    Args:
        settings: validated.
        parts: from `parts_of`.
        done: ids of images to leave out.
    """
    from sr_lab.data.module import SRData

    dataset = settings.dataset
    if dataset is None or "degradation" not in parts:
        return None
    held_out = {
        part: build(node, f"dataset.{part}", settings.allowed)
        for part in ("validation", "test")
        if (node := getattr(dataset, part)) is not None
    }
    return SRData(
        build(dataset.images, "dataset.images", settings.allowed),
        parts["degradation"],
        seed=dataset.seed,
        draws=dataset.draws,
        batch_size=dataset.batch_size,
        patch_size=dataset.patch_size,
        patches_per_batch=dataset.patches_per_batch,
        one_image_batches=dataset.one_image_batches,
        batches_per_epoch=settings.trainer.batches_per_epoch,
        **held_out,
        done=done,
        workers=settings.trainer.workers,
    )


def _write_config(directory: Path, config: dict[str, Any]) -> None:
    from omegaconf import OmegaConf

    write_text(directory / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(config)))


def _first_process() -> bool:
    """Torchrun sets RANK; Lightning, which repeats the command for the other processes, LOCAL_RANK and NODE_RANK."""
    return all(os.environ.get(rank, "0") == "0" for rank in ("RANK", "LOCAL_RANK", "NODE_RANK"))
