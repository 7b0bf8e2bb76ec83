"""Blind SR of a person's own files: estimate the kernel, restore the whole image, write it as it came."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from tqdm import tqdm

from sr_lab.config.build import build
from sr_lab.config.compose import compose, to_plain
from sr_lab.config.schema import validate, without_unused
from sr_lab.data.sample import Sample
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.io.images import write_image
from sr_lab.io.kernels import kernel_picture, read_kernel, write_kernel
from sr_lab.methods.non_blind import restored_in_tiles
from sr_lab.methods.tiles import restored_rows
from sr_lab.methods.zero_shot import ZeroShot
from sr_lab.priors.base import KernelField, KernelPrior
from sr_lab.priors.detail import most_detailed
from sr_lab.priors.fkp import FKP
from sr_lab.scenes.base import SceneFiles
from sr_lab.scenes.natural import Pictures

ESTIMATE_SIDE = 128  # SR pixels: a kernel of up to 21 pixels, six times over
SIDES_OF_KERNEL = 5  # of a crop, where a flow of one's own makes larger ones
SMALLEST = 8  # LR pixels below which nothing can be told of a blur
BICUBIC_REACH = 4  # LR pixels that a bicubic of at least their scale looks either way


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Args:
        scale: s.
        out: folder for the results.
        method: `fast` estimates the kernel in a second, `dip_fkp` in minutes, `kernel` takes `kernel_file`,
            `bicubic` interpolates.
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
    method: str = "fast"
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
            "experiment=" + ("upscale_dip_fkp" if options.method == "dip_fkp" else "upscale"),
            f"scale={options.scale}",
            f"method.noise_level={options.noise_level}",
            *_weights_override(options),
        ]
        if options.varying:
            if options.method != "fast" or options.kernel_file is not None:
                raise UserError(
                    "a varying kernel is estimated by --method fast alone",
                    where="--varying",
                    fix="leave it out, or leave out --method and --kernel",
                )
            overrides.append("prior=spectral_field")
        settings = validate(without_unused(to_plain(compose([*overrides, *options.overrides]))))
        self.device = _device(options.device)
        files = settings.scene.files
        self.files: SceneFiles = (
            Pictures() if files is None else build(files, "scene.files", settings.allowed)
        )
        self.degradation = build(settings.degradation or {}, "degradation", settings.allowed)
        self.noise_level = options.noise_level
        self.method: ZeroShot | None = None
        self.prior: KernelPrior | None = None
        self.solver: Any = None
        if options.method != "bicubic":
            self.solver = build(settings.solver or {}, "solver", settings.allowed).to(self.device)
        if options.method == "fast":
            self.prior = build(settings.prior or {}, "prior", settings.allowed)
        elif options.method == "dip_fkp":
            parts = {
                part: build(node, part, settings.allowed)
                for part in ("prior", "start", "backbone")
                if (node := getattr(settings, part)) is not None
            }
            self.method = build(settings.method, "method", settings.allowed, **parts)
            assert self.method is not None
            self.method.bind(self.degradation, settings.seed)
            self.method.to(self.device)
        self.known = None if options.kernel_file is None else read_kernel(options.kernel_file)

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
            rows, kernel = self.restore(lr.to(self.device), source.name)
            remarks = opened.write(target, rows, scale, lambda image: interpolated_rows(image, scale))
        if kernel is not None and self.options.save_kernels:
            _save_kernel(job.kernels, kernel)
        notes = "".join(f"; {note}" for note in [*(warning.message for warning in caught), *remarks])
        return Outcome(source, target, f"{source} -> {target} ({width * scale}x{height * scale}){notes}")

    def restore(
        self, lr: Float[Tensor, "1 c h w"], name: str
    ) -> tuple[Iterator[Float[Tensor, "1 c rows ws"]], Float[Tensor, "1 1 k k"] | KernelField | None]:
        """SR of one image from the top down, and the kernel or kernels it is restored with.

        Raises:
            UserError: other than 1 or 3 channels, which bicubic alone takes.
        """
        scale = self.options.scale
        if self.solver is None:
            return interpolated_rows(lr, scale), None
        if lr.shape[1] not in (1, 3):
            raise UserError(
                f"--method {self.options.method} restores grey or colour, this image has {lr.shape[1]} bands",
                where=name,
                fix="use --method bicubic",
            )
        colour = lr.expand(-1, 3, -1, -1)
        kernel = self._kernel(colour, name)
        noise = torch.full((1,), self.noise_level, device=self.device)
        rows = restored_in_tiles(self.solver, colour, kernel, scale, noise, self.degradation, label=name)
        if lr.shape[1] == 1:
            rows = (part.mean(1, keepdim=True) for part in rows)
        return rows, kernel

    def _kernel(self, lr: Float[Tensor, "1 3 h w"], name: str) -> Float[Tensor, "1 1 k k"] | KernelField:
        """The known kernel, or the estimate; the slow one is made on the most detailed crop."""
        if self.known is not None:
            return torch.from_numpy(self.known).float()[None, None].to(self.device)
        if self.prior is not None:
            sample = Sample(lr=lr, scale=self.options.scale, image_ids=[name])
            self.prior.start(sample, self.degradation, [])
            return self.prior if isinstance(self.prior, KernelField) else self.prior.kernel()
        assert self.method is not None
        reach = self.method.prior.flow.side if isinstance(self.method.prior, FKP) else 0
        side = -(-max(ESTIMATE_SIDE, SIDES_OF_KERNEL * reach) // self.options.scale)
        crop = _at_least(most_detailed(lr, side), -(-64 // self.options.scale))
        sample = Sample(lr=crop, scale=self.options.scale, image_ids=[name])
        with torch.enable_grad():
            _, kernel, _ = self.method.estimate(sample)
        return kernel / kernel.sum((-2, -1), keepdim=True)


def _weights_override(options: Options) -> list[str]:
    """The one place where weights of a person's own reach the prior.

    Raises:
        UserError: the method's prior is no flow.
    """
    if options.prior_weights is None:
        return []
    if options.method != "dip_fkp":
        raise UserError(
            f"a kernel flow is of no use to --method {options.method}",
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


def _at_least(lr: Tensor, side: int) -> Tensor:
    """Reflect a small image until both sides reach `side`."""
    pad = max(0, side - min(lr.shape[-2:]))
    while pad > 0:
        step = min((pad + 1) // 2, min(lr.shape[-2:]) - 1)
        lr = torch.nn.functional.pad(lr, (step,) * 4, mode="reflect")
        pad = max(0, side - min(lr.shape[-2:]))
    return lr


def interpolated_rows(image: Float[Tensor, "1 c h w"], scale: int) -> Iterator[Float[Tensor, "1 c rows ws"]]:
    """MATLAB's bicubic of the whole image, tile by tile."""
    return restored_rows(
        image, scale, lambda tile, _: imresize(tile, scale), margin=BICUBIC_REACH, boundary="symmetric"
    )


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
