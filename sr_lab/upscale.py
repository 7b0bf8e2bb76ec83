"""Blind SR of a person's own files: estimate the kernel, restore the whole image, write it as it came."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from tqdm import tqdm

from sr_lab.config.build import build
from sr_lab.config.compose import compose, to_plain
from sr_lab.config.schema import validate, without_unused
from sr_lab.errors import UserError
from sr_lab.io.images import write_image
from sr_lab.io.kernels import kernel_picture, write_kernel
from sr_lab.priors.base import KernelField
from sr_lab.restorers import interpolated_rows, restorer_for
from sr_lab.scenes.base import SceneFiles
from sr_lab.scenes.natural import Pictures

SMALLEST = 8  # LR pixels below which nothing can be told of a blur


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Args:
        scale: s.
        out: folder for the results.
        method: `fast` estimates the kernel in a second, `dip_fkp` in minutes; `network` enlarges in one pass what was
            decimated as MATLAB does; `bicubic` interpolates. None: what suits the other options, else the scene's own.
        prior_weights: kernel flow of the prior, for `dip_fkp`; default the shipped one of the scale.
        kernel_file: known kernel (correlation convention, block centre).
        varying: let the kernel vary over the image (`fast` only).
        noise_level: told to the solver, in [0, 1] units.
        save_kernels: write the estimated kernels beside the results.
        overwrite: replace results that exist; without it they are kept, so a run goes on where it was stopped.
        device: `auto`, `cpu` or `cuda`.
        overrides: further config overrides.
    """

    scale: int
    out: Path
    method: str | None = None
    prior_weights: str | None = None
    kernel_file: Path | None = None
    varying: bool = False
    noise_level: float = 0.0
    save_kernels: bool = False
    overwrite: bool = False
    device: str = "auto"
    overrides: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """One file: where its result is, or (target None) what was wrong with it."""

    source: Path
    target: Path | None
    message: str


@dataclass(frozen=True)
class Job:
    """One file to restore.

    Args:
        source: what to read.
        target: what to write.
        kernels: stem of the kernel's files.
    """

    source: Path
    target: Path
    kernels: Path


def upscale(inputs: Iterable[Path], options: Options, report: Callable[[Outcome], None]) -> list[Outcome]:
    """Restore files and folders, one after the other; a bad file costs only itself.

    Raises:
        UserError: no input at all, or options that fit no file.
    """
    if options.out.exists() and not options.out.is_dir():
        raise UserError("this is a file, not a folder", where=f"--out {options.out}", fix="name a folder")
    upscaler = Upscaler(options)
    jobs = _jobs(inputs, options.out, upscaler.files)
    outcomes = []
    for job in tqdm(jobs, unit="image", leave=False, disable=None if len(jobs) > 1 else True):
        try:
            outcome = upscaler.file(job)
        except UserError as error:
            outcome = Outcome(job.source, None, str(error))
        except (MemoryError, torch.OutOfMemoryError):
            what = "out of memory. Use a smaller image or --device cpu."
            outcome = Outcome(job.source, None, f"{job.source}: {what}")
        outcomes.append(outcome)
        report(outcome)
    return outcomes


class Upscaler:
    """The parts of the chosen method, built once for all files."""

    def __init__(self, options: Options) -> None:
        self.options = options
        overrides = [
            "experiment=" + ("upscale_dip_fkp" if _method(options) == "dip_fkp" else "upscale"),
            f"scale={options.scale}",
            f"method.noise_level={options.noise_level}",
            *_weights_override(options),
        ]
        if options.varying:
            if _method(options) != "fast" or options.kernel_file is not None:
                raise UserError(
                    "a varying kernel is estimated by --method fast alone",
                    where="--varying",
                    fix="leave it out, or leave out --method and --kernel",
                )
            overrides.append("prior=spectral_field")
        settings = validate(without_unused(to_plain(compose([*overrides, *options.overrides]))))
        files = settings.scene.files
        self.files: SceneFiles = (
            Pictures() if files is None else build(files, "scene.files", settings.allowed)
        )
        self.device = _device(options.device)
        self.restorer = restorer_for(
            _method(options) or settings.scene.upscale.method,
            settings,
            self.device,
            kernel_file=options.kernel_file,
            noise_level=options.noise_level,
        )

    def file(self, job: Job) -> Outcome:
        """Restore one file.

        Raises:
            UserError: unreadable, too small, too large for its format, or its own result.
        """
        source, target = job.source, job.target
        if target.exists() and not self.options.overwrite:
            if target.samefile(source):
                raise UserError(
                    "the result would replace its input, which exists already",
                    where=str(source),
                    fix="use another --out, or --overwrite if you mean it",
                )
            return Outcome(source, target, f"{target} exists already and is kept; --overwrite replaces it")
        opened = self.files.open(source)
        lr = opened.image()
        height, width = lr.shape[-2:]
        if min(height, width) < SMALLEST:
            raise UserError(
                f"{width}x{height} pixels are too few to tell a blur",
                where=str(source),
                fix=f"use at least {SMALLEST}x{SMALLEST}",
            )
        scale = self.options.scale
        opened.check(target, scale)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            rows, kernel = self.restorer.restore(lr.to(self.device), source.name)
            remarks = opened.write(target, rows, scale, lambda image: interpolated_rows(image, scale))
        if kernel is not None and self.options.save_kernels:
            _save_kernel(job.kernels, kernel)
        notes = "".join(f"; {note}" for note in [*(warning.message for warning in caught), *remarks])
        return Outcome(source, target, f"{source} -> {target} ({width * scale}x{height * scale}){notes}")


def _method(options: Options) -> str | None:
    """The method asked for, or the one that the other options ask for, if any."""
    if options.method is not None:
        return options.method
    if options.prior_weights is not None:
        return "dip_fkp"
    return "fast" if options.varying or options.kernel_file is not None else None


def _weights_override(options: Options) -> list[str]:
    """The one place where weights of a person's own reach the prior.

    Raises:
        UserError: the method's prior is no flow.
    """
    if options.prior_weights is None:
        return []
    method = _method(options)
    if method != "dip_fkp":
        raise UserError(
            f"a kernel flow is of no use to --method {method}",
            where="--prior-weights",
            fix="use --method dip_fkp, or leave --method out",
        )
    quoted = options.prior_weights.replace("\\", "\\\\").replace("'", "\\'")
    return [f"prior.weights='{quoted}'"]


def _jobs(inputs: Iterable[Path], out: Path, files: SceneFiles) -> list[Job]:
    """Every file with its place below the output folder: folders keep their inner structure.

    An output folder inside an input folder is no input.
    """
    results = out.resolve()
    sources: dict[Path, Path] = {}
    for item in inputs:
        if not item.is_dir():
            found = [(item, Path(item.name))]
        else:
            nested = results != item.resolve() and results.is_relative_to(item.resolve())
            found = [
                (file, file.relative_to(item))
                for file in files.find(item)
                if not (nested and file.resolve().is_relative_to(results))
            ]
        for source, relative in found:
            if sources.setdefault(relative, source) != source:
                raise UserError(
                    f"two inputs would be written to {relative}",
                    where=f"{sources[relative]} and {source}",
                    fix="run them apart",
                )
    stems = Counter(relative.with_suffix("") for relative in sources)
    return [
        Job(source, out / name, out / (name.with_suffix("") if stems[name.with_suffix("")] == 1 else name))
        for name, source in sources.items()
    ]


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError("torch finds no GPU", where="--device", fix="use --device cpu; see `sr-lab doctor`")
    return torch.device(name)


def _save_kernel(stem: Path, kernel: Float[Tensor, "1 1 k k"] | KernelField) -> None:
    """The kernel as numbers and as a picture; of a field the whole image's, and a picture of 5 x 5 places."""
    places = [0.1, 0.3, 0.5, 0.7, 0.9]
    if isinstance(kernel, KernelField):
        shown = [[_numbers(kernel.kernel_at(y, x)) for x in places] for y in places]
        kernel = kernel.kernel()
    else:
        shown = [[_numbers(kernel)]]
    write_kernel(stem.with_name(f"{stem.name}.kernel.npy"), _numbers(kernel))
    side = 16 * kernel.shape[-1] // (1 if len(shown) == 1 else 4)
    picture = np.block([[kernel_picture(one, side) for one in row] for row in shown])
    write_image(stem.with_name(f"{stem.name}.kernel.png"), picture[..., None])


def _numbers(kernel: Float[Tensor, "1 1 k k"]) -> Float64[np.ndarray, "k k"]:
    return kernel[0, 0].cpu().numpy().astype(np.float64)
