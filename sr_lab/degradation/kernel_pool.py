"""One's own kernels as something that a flow can learn: some held out, the others varied at every draw."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64, Int
from torch import Tensor

from sr_lab.degradation.anchor import Anchor, anchor_centre
from sr_lab.degradation.chain import keyed_generator
from sr_lab.degradation.kernel_files import MAX_LOSS, KernelFiles, mass_centre
from sr_lab.errors import UserError

FEWEST = 4
_HEADROOM = 1.01  # over the greatest weight: room for the dequantisation


class KernelPool:
    """Sampler of varied kernels from files, at the `fkp` anchor, with some of the files held out.

    Each draw takes a kernel, turns, widens or narrows and shifts it in one bilinear interpolation, and may
    average it with a second one. Where a variation would leave the window, the kernel is taken as it is.

    Args:
        path: a folder of kernel files, or one file with many; any sizes, also even and mixed.
        scale: the decimation s that the anchor refers to.
        size: odd side of the common window; default as in `KernelFiles`.
        flip: True for files that mean convolution instead of correlation.
        held_out: share of the kernels that validate and are never drawn; equal kernels stay together.
        turn: `quarter` turns by multiples of 90 degrees and mirrors; `any` turns by any angle and mirrors;
            `none` where the direction of the blur says something.
        zoom: widths are changed by a factor between 1/(1+zoom) and 1+zoom.
        shift: pixels by which the centre of mass leaves the anchor at most, on each axis.
        mix: share of draws that are an average of two kernels, with a weight from U(0, 1).
        seed: of the split.

    Raises:
        UserError: as `KernelFiles`, or fewer than 4 different kernels.
    """

    anchor: Anchor = "fkp"

    def __init__(
        self,
        path: str | Path,
        *,
        scale: int,
        size: int | None = None,
        flip: bool = False,
        held_out: float = 0.2,
        turn: Literal["quarter", "any", "none"] = "quarter",
        zoom: float = 0.1,
        shift: float = 0.25,
        mix: float = 0.2,
        seed: int = 0,
    ) -> None:
        files = KernelFiles(path, scale=scale, size=size, flip=flip)
        self.scale, self.kernel_size = scale, files.size
        self.turn, self.zoom, self.shift, self.mix = turn, zoom, shift, mix
        if not 0 < held_out < 1 or zoom < 0 or shift < 0 or not 0 <= mix <= 1:
            raise UserError(
                f"held_out {held_out}, zoom {zoom}, shift {shift}, mix {mix}",
                where="method.kernels",
                fix="give 0 < held_out < 1, 0 <= mix <= 1 and no negative zoom or shift",
            )
        marks = [fingerprint(kernel) for kernel in files.stored]
        distinct = sorted(set(marks))
        if len(distinct) < FEWEST:
            raise UserError(
                f"{len(distinct)} different kernel{'s' * (len(distinct) > 1)} cannot say what kernels look like",
                where=str(path),
                fix=f"give {FEWEST} or more, better 100; a single known kernel needs no prior: prior=file",
            )
        order = torch.randperm(len(distinct), generator=keyed_generator(seed, "held out", "kernels"))
        count = min(max(round(held_out * len(distinct)), 1), len(distinct) - 2)
        kept_back = {distinct[index] for index in order[:count].tolist()}
        learned = [index for index, mark in enumerate(marks) if mark not in kept_back]
        self.learned_from = sorted(set(distinct) - kept_back)
        self.held_out_names = [
            name for name, mark in zip(files.names, marks, strict=True) if mark in kept_back
        ]
        self.validation = files.kernels[[index for index in range(len(marks)) if marks[index] in kept_back]]
        self.plain = files.kernels[learned]
        stored = [files.stored[index] for index in learned]
        side = max(len(kernel) for kernel in stored)
        self._canvas = torch.from_numpy(
            np.stack([np.pad(kernel, (0, side - len(kernel))) for kernel in stored])[:, None]
        ).float()
        self._centres = torch.from_numpy(np.stack([mass_centre(kernel) for kernel in stored])).float()

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n varied kernels: float32, non-negative where the files are, sum 1."""
        first, second = self._varied(n, generator), self._varied(n, generator)
        draws = torch.rand(n, 2, generator=generator)
        weight = torch.where(draws[:, 0] < self.mix, draws[:, 1], 1.0)[:, None, None, None]
        return weight * first + (1 - weight) * second

    def validation_set(self) -> Float[Tensor, "n 1 k k"]:
        """The held-out kernels as they are."""
        return self.validation

    def facts(self) -> dict[str, Any]:
        """What a checkpoint remembers: the scale, and which kernels it has seen."""
        return {"scale": self.scale, "learned_from": self.learned_from}

    def normalization(self) -> float:
        """The value c of the flow: above the greatest weight, also after narrowing."""
        peak = max(self.plain.max().item() * (1 + self.zoom) ** 2, self.validation.max().item())
        return round(peak * _HEADROOM, 5)

    def _varied(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        chosen = torch.randint(len(self.plain), (n,), generator=generator)
        matrix = self._matrices(n, generator)
        move = self.shift * (2 * torch.rand(n, 2, generator=generator) - 1)
        varied = self._warped(chosen, matrix, move)
        # narrowing by a factor scales the sum with its square
        mass = varied.sum((1, 2, 3)) / torch.linalg.det(matrix).abs()
        whole = (mass > 1 - MAX_LOSS)[:, None, None, None]
        return torch.where(whole, varied / varied.sum((1, 2, 3), keepdim=True), self.plain[chosen])

    def _matrices(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 2 2"]:
        """Turn, mirror and zoom of the output relative to the stored kernel."""
        draws = torch.rand(n, 3, generator=generator)
        angle = 2 * torch.pi * draws[:, 0]
        if self.turn == "quarter":
            angle = torch.floor(4 * draws[:, 0]) * (torch.pi / 2)
        cos, sin = angle.cos(), angle.sin()
        mirror = torch.where(draws[:, 1] < 0.5, -1.0, 1.0)
        matrix = torch.stack([cos, -sin * mirror, sin, cos * mirror], -1).view(n, 2, 2)
        if self.turn == "none":
            matrix = torch.eye(2).expand(n, 2, 2)
        return matrix * ((1 + self.zoom) ** (2 * draws[:, 2] - 1))[:, None, None]

    def _warped(
        self, chosen: Int[Tensor, " n"], matrix: Float[Tensor, "n 2 2"], move: Float[Tensor, "n 2"]
    ) -> Float[Tensor, "n 1 k k"]:
        """out(p) = stored(centre of mass + matrix^-1 (p - anchor - move)), bilinear, zero outside."""
        grid = torch.arange(self.kernel_size) - anchor_centre(self.kernel_size, self.scale, self.anchor)
        target = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), -1) - move[:, None, None]
        source = torch.einsum("nij,nrcj->nrci", torch.linalg.inv(matrix), target)
        source = source + self._centres[chosen][:, None, None]
        side = self._canvas.shape[-1]
        normal = (2 * source / (side - 1) - 1).flip(-1)  # torch wants (x, y) in [-1, 1]
        return F.grid_sample(self._canvas[chosen], normal, padding_mode="zeros", align_corners=True)


def fingerprint(kernel: Float64[np.ndarray, "k k"]) -> str:
    """12 hex digits of a stored kernel, by which to tell whether a flow has learned from it."""
    return hashlib.sha256(np.round(kernel, 9).astype(np.float32).tobytes()).hexdigest()[:12]
