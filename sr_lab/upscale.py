"""Blind SR of a person's own files: estimate the kernel, restore the whole image, write it as it came."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.config.build import build
from sr_lab.config.compose import compose, to_plain
from sr_lab.config.schema import validate, without_unused
from sr_lab.data.sample import Sample
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.io.images import Picture, list_images, read_image, write_image
from sr_lab.io.kernels import kernel_picture, read_kernel, write_kernel
from sr_lab.methods.non_blind import solve
from sr_lab.methods.tiles import most_detailed_crop, restore_tiled
from sr_lab.methods.zero_shot import ZeroShot
from sr_lab.priors.base import KernelPrior
from sr_lab.priors.fkp import FKP

ESTIMATE_SIDE = 128  # SR pixels: a kernel of up to 21 pixels, six times over
SIDES_OF_KERNEL = 5  # of a crop, where a flow of one's own makes larger ones
SMALLEST = 8  # LR pixels below which nothing can be told of a blur


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
        noise_level: told to the solver, in [0, 1] units.
        save_kernels: write the estimated kernels beside the results.
        overwrite: replace results that exist.
        device: `auto`, `cpu` or `cuda`.
        overrides: further config overrides.
    """

    scale: int
    out: Path
    method: str = "fast"
    prior_weights: str | None = None
    kernel_file: Path | None = None
    noise_level: float = 0.0
    save_kernels: bool = False
    overwrite: bool = False
    device: str = "auto"
    overrides: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """One file: where the result went, or what was wrong with it."""

    source: Path
    target: Path | None
    message: str


def upscale(inputs: Iterable[Path], options: Options, report: Callable[[Outcome], None]) -> list[Outcome]:
    """Restore files and folders, one after the other; a bad file costs only itself.

    Raises:
        UserError: no input at all, or options that fit no file.
    """
    sources = _sources(inputs)
    upscaler = Upscaler(options)
    outcomes = []
    for source, relative in sources:
        target = options.out / relative
        try:
            outcome = upscaler.file(source, target)
        except UserError as error:
            outcome = Outcome(source, None, str(error))
        except (MemoryError, torch.OutOfMemoryError):
            outcome = Outcome(source, None, f"{source}: out of memory. Use a smaller image or --device cpu.")
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
        settings = validate(without_unused(to_plain(compose([*overrides, *options.overrides]))))
        self.device = _device(options.device)
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

    def file(self, source: Path, target: Path) -> Outcome:
        """Restore one file.

        Raises:
            UserError: unreadable, too small, or the target exists.
        """
        if target.exists() and not self.options.overwrite:
            raise UserError(
                "the result exists already", where=str(target), fix="use --overwrite or another --out"
            )
        picture = read_image(source)
        if min(picture.pixels.shape[:2]) < SMALLEST:
            height, width = picture.pixels.shape[:2]
            raise UserError(
                f"{width}x{height} pixels are too few to tell a blur",
                where=str(source),
                fix=f"use at least {SMALLEST}x{SMALLEST}",
            )
        lr = torch.from_numpy(picture.pixels).permute(2, 0, 1)[None].to(self.device)
        sr, kernel = self.restore(lr, str(source.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, sr, picture, self.options.scale)
        if kernel is not None and self.options.save_kernels:
            stem = target.with_suffix("")
            write_kernel(stem.with_name(f"{stem.name}.kernel.npy"), kernel)
            write_image(stem.with_name(f"{stem.name}.kernel.png"), _as_picture(kernel))
        return Outcome(source, target, f"{source} -> {target} ({sr.shape[-1]}x{sr.shape[-2]})")

    def restore(
        self, lr: Float[Tensor, "1 c h w"], name: str
    ) -> tuple[Float[Tensor, "1 c hs ws"], np.ndarray | None]:
        """SR of one image of 1 or 3 channels, and the kernel it was restored with."""
        scale = self.options.scale
        if self.solver is None:
            return imresize(lr, scale), None
        colour = lr.expand(-1, 3, -1, -1) if lr.shape[1] == 1 else lr
        kernel = self._kernel(colour, name)
        noise = torch.full((1,), self.noise_level, device=self.device)

        def one(tile: Tensor) -> Tensor:
            return solve(
                self.solver, tile, kernel, scale, noise, self.degradation.anchor, phase=self.degradation.phase
            )

        sr = restore_tiled(colour, scale, one, margin=max(16, kernel.shape[-1] // scale + 8))
        sr = sr.mean(1, keepdim=True) if lr.shape[1] == 1 else sr
        return sr, kernel[0, 0].cpu().numpy().astype(np.float64)

    def _kernel(self, lr: Float[Tensor, "1 3 h w"], name: str) -> Float[Tensor, "1 1 k k"]:
        """The known kernel, or the estimate; the slow one is made on the most detailed crop."""
        if self.known is not None:
            return torch.from_numpy(self.known).float()[None, None].to(self.device)
        if self.prior is not None:
            sample = Sample(lr=lr, scale=self.options.scale, image_ids=[name])
            self.prior.start(sample, self.degradation, [])
            return self.prior.kernel()
        assert self.method is not None
        reach = self.method.prior.flow.side if isinstance(self.method.prior, FKP) else 0
        side = -(-max(ESTIMATE_SIDE, SIDES_OF_KERNEL * reach) // self.options.scale)
        crop = lr
        if min(lr.shape[-2:]) > side:
            top, left = most_detailed_crop(lr, side)
            crop = lr[..., top : top + side, left : left + side]
        else:
            crop = _at_least(lr[..., : 2 * side, : 2 * side], -(-64 // self.options.scale))
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


def _sources(inputs: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Every file with its place below the output folder: folders keep their inner structure."""
    found: list[tuple[Path, Path]] = []
    for item in inputs:
        if item.is_dir():
            found += [(file, file.relative_to(item)) for file in list_images([item])]
        else:
            found.append((item, Path(item.name)))
    names: dict[Path, Path] = {}
    for source, relative in found:
        if relative in names and names[relative] != source:
            raise UserError(
                f"two inputs would be written to {relative}",
                where=f"{names[relative]} and {source}",
                fix="run them apart",
            )
        names[relative] = source
    return [(source, relative) for relative, source in names.items()]


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


def _write(target: Path, sr: Tensor, picture: Picture, scale: int) -> None:
    """In the input's format, depth and channels; alpha is interpolated."""
    alpha = None
    if picture.alpha is not None:
        alpha = imresize(torch.from_numpy(picture.alpha)[None, None], scale)[0, 0].clamp(0, 1).numpy()
    pixels = np.ascontiguousarray(sr[0].clamp(0, 1).permute(1, 2, 0).cpu().numpy())
    write_image(target, pixels, bits=picture.bits, alpha=alpha, format=picture.format, icc=picture.icc)


def _as_picture(kernel: np.ndarray) -> np.ndarray:
    return kernel_picture(kernel, 16 * len(kernel)).astype(np.float32)[..., None] / 255
