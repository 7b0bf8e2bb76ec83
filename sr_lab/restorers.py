"""How `sr-lab upscale` restores one whole image of any size: a few rows at a time, from the top down."""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.backbones.channelwise import solver_for
from sr_lab.backbones.image_to_image import ImageToImage
from sr_lab.backbones.trained import load_network
from sr_lab.config.build import build
from sr_lab.config.schema import Settings
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.io.complex import intensity, is_complex
from sr_lab.io.kernels import read_kernel
from sr_lab.methods.eigenspace import EigenPictures
from sr_lab.methods.feedforward import enlarged_rows
from sr_lab.methods.non_blind import restored_in_tiles
from sr_lab.methods.tiles import restored_rows
from sr_lab.methods.zero_pad import zero_padded
from sr_lab.methods.zero_shot import ZeroShot
from sr_lab.priors.base import KernelField, KernelPrior
from sr_lab.priors.detail import detailed_corner
from sr_lab.priors.fkp import FKP
from sr_lab.scenes.infrared.destripe import column_offsets
from sr_lab.weights.store import all_entries

TOLD = 0.1  # % of the range: stripes weaker than that are not worth a remark
ESTIMATE_SIDE = 128  # SR pixels: a kernel of up to 21 pixels, six times over
SIDES_OF_KERNEL = 5  # of a crop, where a flow of one's own makes larger ones
BLOCK = 8  # LR pixels a side, whose intensity a radar network keeps
BICUBIC_REACH = 4  # LR pixels that a bicubic of at least their scale looks either way

Rows = Iterator[Float[Tensor, "1 c rows ws"]]
Kernels = Float[Tensor, "1 1 k k"] | KernelField


class Restorer(ABC):
    """One way from an LR image to its SR image."""

    @abstractmethod
    def restore(self, lr: Float[Tensor, "1 c h w"], name: str) -> tuple[Rows, Kernels | None]:
        """SR from the top down, and the kernel or kernels it is restored with.

        Args:
            lr: in the scene's normalised range, on the device of the networks.
            name: of the image, for messages and random draws.

        Raises:
            UserError: an image that this way cannot take.
        """


class Interpolated(Restorer):
    """MATLAB's bicubic."""

    def __init__(self, scale: int) -> None:
        self.scale = scale

    def restore(self, lr: Float[Tensor, "1 c h w"], name: str) -> tuple[Rows, None]:
        """Interpolate."""
        return interpolated_rows(lr, self.scale), None


class InterpolatedRadar(Restorer):
    """Zeros around the spectrum of an SLC, whose phase bicubic would not keep; bicubic of a detected image."""

    def __init__(self, scale: int) -> None:
        self.scale = scale

    def restore(self, lr: Float[Tensor, "1 c h w"], name: str) -> tuple[Rows, None]:
        """Interpolate."""
        if not is_complex(lr):
            return interpolated_rows(lr, self.scale), None
        warnings.warn("an SLC: interpolated by zeros around its spectrum, not by bicubic", stacklevel=2)
        return iter([zero_padded(lr, self.scale)]), None


class RadarByNetworks(Restorer):
    """The amplitude by a network, one for detected images and one for SLCs, which keep the phase of their spectrum.

    The networks know speckle of one look of one sensor. So that an image of several looks keeps its radiometry too, the
    result is scaled until the median block of it has the mean intensity that LR has there.

    Args:
        detected: network that reads amplitudes.
        complex_: network for SLCs.
    """

    def __init__(self, detected: ImageToImage, complex_: ImageToImage) -> None:
        self.detected, self.complex = detected, complex_

    def restore(self, lr: Float[Tensor, "1 c h w"], name: str) -> tuple[Rows, None]:
        """Enlarge, in tiles."""
        network = self.complex if is_complex(lr) else self.detected
        rows = enlarged_rows(network, Sample(lr, network.scale, [name]), label=name)
        sr = torch.cat(list(rows), -2)
        gain = kept_gain(sr, lr, network.scale)
        told = f"scaled by {20 * math.log10(gain):+.1f} dB to keep the intensity of blocks"
        if not is_complex(lr):
            warnings.warn(f"speckle taken away by the network; {told}", stacklevel=2)
            return iter([gain * sr]), None
        warnings.warn(
            f"an SLC: amplitude by the network, without speckle, {told}; phase interpolated", stacklevel=2
        )
        interpolated = zero_padded(lr, network.scale)
        direction = interpolated / interpolated.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return iter([gain * sr * direction]), None


class ByNetwork(Restorer):
    """A network trained on bicubic decimation, with no kernel."""

    def __init__(self, network: ImageToImage) -> None:
        self.network = network

    def restore(self, lr: Float[Tensor, "1 c h w"], name: str) -> tuple[Rows, None]:
        """Enlarge, in tiles."""
        return enlarged_rows(self.network, Sample(lr, self.network.scale, [name]), label=name), None


class Deblurred(Restorer):
    """A kernel that is known or estimated, and a non-blind solver.

    Args:
        solver: network called with (lr, kernel, scale, noise_level).
        degradation: its scale, anchor and boundary.
        known: the kernel.
        prior: estimates it from the whole image at once.
        method: estimates it by optimisation, on the most detailed crop.
        noise_level: that the solver is told, in [0, 1] units.
    """

    def __init__(
        self,
        solver: nn.Module,
        degradation: Degradation,
        *,
        known: Float[Tensor, "1 1 k k"] | None = None,
        prior: KernelPrior | None = None,
        method: ZeroShot | None = None,
        noise_level: float = 0.0,
    ) -> None:
        self.solver, self.degradation, self.noise_level = solver, degradation, noise_level
        self.known, self.prior, self.method = known, prior, method

    def restore(self, lr: Float[Tensor, "1 c h w"], name: str) -> tuple[Rows, Kernels]:
        """Restore grey or colour.

        Raises:
            UserError: other than 1 or 3 channels.
        """
        if lr.shape[1] not in (1, 3):
            raise UserError(
                f"this method restores grey or colour, the image has {lr.shape[1]} bands",
                where=name,
                fix="use --method bicubic",
            )
        colour = Sample(lr.expand(-1, 3, -1, -1), self.degradation.scale, [name])
        rows, kernel = self.restore_sample(colour)
        if lr.shape[1] == 1:
            rows = (part.mean(1, keepdim=True) for part in rows)
        return rows, kernel

    def restore_sample(self, sample: Sample) -> tuple[Rows, Kernels]:
        """Restore one image whose channels are colours, or are not, as it says."""
        kernel, solver = self.kernel(sample), solver_for(self.solver, sample)
        noise = torch.full((1,), self.noise_level, device=sample.lr.device)
        return restored_in_tiles(
            solver, sample.lr, kernel, sample.scale, noise, self.degradation, label=sample.image_ids[0]
        ), kernel

    def kernel(self, sample: Sample) -> Kernels:
        """The known kernel, or the estimate."""
        if self.known is not None:
            return self.known.to(sample.lr)
        if self.prior is not None:
            self.prior.start(sample, self.degradation, [])
            return self.prior if isinstance(self.prior, KernelField) else self.prior.kernel()
        assert self.method is not None
        reach = self.method.prior.flow.side if isinstance(self.method.prior, FKP) else 0
        side = -(-max(ESTIMATE_SIDE, SIDES_OF_KERNEL * reach) // sample.scale)
        with torch.enable_grad():
            _, kernel, _ = self.method.estimate(_detailed(sample, side, -(-64 // sample.scale)))
        return kernel / kernel.sum((-2, -1), keepdim=True)


class Destriped(Restorer):
    """Another restorer, on the image without its column stripes; tells how strong they were."""

    def __init__(self, inner: Restorer) -> None:
        self.inner = inner

    def restore(self, lr: Float[Tensor, "1 c h w"], name: str) -> tuple[Rows, Kernels | None]:
        """Take the stripes off, and restore."""
        offsets = column_offsets(lr)
        strength = 100 * float(offsets.std(correction=0) / (lr.amax() - lr.amin()).clamp_min(1e-12))
        if strength >= TOLD:
            warnings.warn(f"column stripes of {strength:.1f} % of the range taken off", stacklevel=2)
        return self.inner.restore(lr - offsets, name)


class InEigenimages(Restorer):
    """A kernel and a solver on the leading eigenimages of a cube; the rest is interpolated."""

    def __init__(self, inner: Deblurred, rank: int) -> None:
        self.inner, self.rank = inner, rank

    def restore(self, lr: Float[Tensor, "1 c h w"], name: str) -> tuple[Rows, Kernels]:
        """Restore any number of bands."""
        scale = self.inner.degradation.scale
        space = EigenPictures.of(lr, self.rank, torch.full((1,), self.inner.noise_level, device=lr.device))
        pictures = space.pictures(lr)
        rows, kernel = self.inner.restore_sample(Sample(pictures, scale, [name], grey=pictures[:, :1]))
        added = torch.cat(list(rows), -2) - imresize(pictures, scale)

        def bands() -> Rows:
            top = 0
            for part in interpolated_rows(space.quiet(lr), scale):
                below = top + part.shape[-2]
                yield part + space.basis.cube(added[..., top:below, :])
                top = below

        return bands(), kernel


def restorer_for(
    method: str,
    settings: Settings,
    device: torch.device,
    *,
    kernel_file: Path | None = None,
    noise_level: float = 0.0,
) -> Restorer:
    """Build the networks of one way, once for all images; stripes are taken off first where the scene says so.

    Args:
        method: `bicubic`, `network`, `fast` or `dip_fkp`.
        settings: of the experiment that goes with it.
        device: of the networks.
        kernel_file: known kernel (correlation convention, block centre), in place of an estimate.
        noise_level: told to the solver.

    Raises:
        UserError: the scene has no trained network for this scale, or no use for the method.
    """
    restorer = _restorer(method, settings, device, kernel_file, noise_level)
    return Destriped(restorer) if settings.scene.upscale.destripe else restorer


def _restorer(
    method: str, settings: Settings, device: torch.device, kernel_file: Path | None, noise_level: float
) -> Restorer:
    radar = settings.scene.name == "sar"
    if method == "bicubic":
        return InterpolatedRadar(settings.scale) if radar else Interpolated(settings.scale)
    if method == "network":
        upscale = settings.scene.upscale
        network = _network(settings, "weights", upscale.weights).to(device)
        if radar:
            of_slcs = _network(settings, "complex_weights", upscale.complex_weights).to(device)
            return RadarByNetworks(network, of_slcs)
        return ByNetwork(network)
    if radar:
        raise UserError(
            f"--method {method} undoes the blur of pictures, and would sharpen speckle",
            where="--scene sar",
            fix="use --method network, or bicubic, which interpolates SLCs by zeros around their spectrum",
        )
    degradation = build(settings.degradation or {}, "degradation", settings.allowed)
    kind: dict[str, Any] = {}
    if kernel_file is not None:
        kind["known"] = torch.from_numpy(read_kernel(kernel_file)).float()[None, None]
    elif method == "fast":
        kind["prior"] = build(settings.prior or {}, "prior", settings.allowed)
    else:
        kind["method"] = _bound(settings, degradation).to(device)
    solver = build(settings.solver or {}, "solver", settings.allowed).to(device)
    restorer = Deblurred(solver, degradation, noise_level=noise_level, **kind)
    return InEigenimages(restorer, settings.scene.components) if settings.scene.components else restorer


def interpolated_rows(image: Float[Tensor, "1 c h w"], scale: int) -> Rows:
    """MATLAB's bicubic of the whole image, tile by tile."""
    return restored_rows(
        image, scale, lambda tile, _: imresize(tile, scale), margin=BICUBIC_REACH, boundary="symmetric"
    )


def kept_gain(sr: Float[Tensor, "1 1 hs ws"], lr: Float[Tensor, "1 c h w"], scale: int) -> float:
    """Factor of the amplitude by which the median block of 8x8 LR pixels has LR's mean intensity."""
    before, after = (
        F.avg_pool2d(power, min(side, *power.shape[2:]), ceil_mode=True).clamp_min(1e-12)
        for power, side in ((intensity(lr), BLOCK), (intensity(sr), BLOCK * scale))
    )
    return float((before / after).median().sqrt())


def _network(settings: Settings, key: str, weights: str | None) -> ImageToImage:
    """The scene's network for the scale, named under a key of scene.upscale."""
    if weights is None or not (weights in all_entries() or Path(weights).expanduser().is_file()):
        others = "bicubic" if settings.scene.name == "sar" else "fast or bicubic"
        raise UserError(
            f"scene '{settings.scene.name}' has no trained network for x{settings.scale}",
            where="--method network",
            fix=f"use --method {others}, or --set scene.upscale.{key}=NAME with one that you trained",
        )
    return load_network(weights)


def _bound(settings: Settings, degradation: Degradation) -> ZeroShot:
    """The method of the settings with its parts."""
    parts = {
        part: build(node, part, settings.allowed)
        for part in ("prior", "start", "backbone")
        if (node := getattr(settings, part)) is not None
    }
    method = build(settings.method, "method", settings.allowed, **parts)
    method.bind(degradation, settings.seed)
    return method


def _detailed(sample: Sample, side: int, least: int) -> Sample:
    """The most detailed crop of an image, reflected until both its sides reach `least`."""
    top, left = detailed_corner(sample.for_kernels, side)

    def crop(image: Tensor) -> Tensor:
        return _at_least(image[..., top : top + side, left : left + side], least)

    grey = None if sample.grey is None else crop(sample.grey)
    return Sample(crop(sample.lr), sample.scale, sample.image_ids, grey=grey)


def _at_least(image: Tensor, side: int) -> Tensor:
    """Reflect a small image until both sides reach `side`."""
    pad = max(0, side - min(image.shape[-2:]))
    while pad > 0:
        step = min((pad + 1) // 2, min(image.shape[-2:]) - 1)
        image = torch.nn.functional.pad(image, (step,) * 4, mode="reflect")
        pad = max(0, side - min(image.shape[-2:]))
    return image
