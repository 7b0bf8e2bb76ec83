"""The degradation HR -> LR: blur, decimation, a list of corruptions; also the operator of data terms."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.blur import Boundary, blur_decimate
from sr_lab.degradation.factors import Factors, both, enlarged_sides, per_axis
from sr_lab.degradation.resample import bicubic_upsample_aligned, imresize
from sr_lab.degradation.resampler import Resampler, decimate, decimate_files
from sr_lab.errors import UserError


@runtime_checkable
class KernelSampler(Protocol):
    """Source of random blur kernels."""

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n kernels."""
        ...


@runtime_checkable
class Corruption(Protocol):
    """What happens to an LR image after decimation: noise, JPEG, quantisation."""

    def __call__(
        self, image: Float[Tensor, "b c h w"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, " b"] | None]:
        """The corrupted image and, for noise, its standard deviation per image."""
        ...


@dataclass
class Degraded:
    """What a degradation returns.

    Args:
        lr: images.
        kernel: their kernels; None for bicubic.
        noise_level: standard deviation of the noise per image.
        band_kernels: kernels of every band, where they differ; `kernel` is then their mean.
    """

    lr: Float[Tensor, "b c h w"]
    kernel: Float[Tensor, "b 1 k k"] | None
    noise_level: Float[Tensor, " b"]
    band_kernels: Float[Tensor, "b c k k"] | None = None


class Degradation(nn.Module):
    """y = corrupt((x (*) k) decimated by s).

    Args:
        scale: decimation s.
        kernels: sampler of blur kernels; None decimates with a `resampler` instead of a blur, which has
            the anchor `block_center` and phase 0.
        corruptions: applied to the LR image in this order.
        anchor: convention the sampler's kernels follow; aligns baselines and kernel priors.
        boundary: of the blur.
        phase: first pixel that decimation keeps.
        resampler: of the decimation without a blur; None: MATLAB's bicubic.

    Source: FKP and DKP benchmarks; every convention that their code fixes is an option here.
    """

    forward_is_exact = True  # with a sample's kernel, `forward` is what `degrade` did but for the corruptions

    def __init__(
        self,
        scale: int,
        kernels: KernelSampler | None,
        corruptions: Sequence[Corruption] = (),
        anchor: Anchor = "fkp",
        boundary: Boundary = "circular",
        phase: int = 0,
        resampler: Resampler | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= phase < scale:
            raise UserError(
                f"phase {phase} is outside 0..{scale - 1}",
                where="degradation.phase",
                fix="use 0 as published",
            )
        if kernels is None and (anchor, phase) != ("block_center", 0):
            raise UserError(
                f"bicubic decimation keeps block centres; it has no anchor '{anchor}' at phase {phase}",
                where="degradation.anchor",
                fix="use anchor=block_center and phase=0",
            )
        sampled_anchor, sampled_scale = getattr(kernels, "anchor", anchor), getattr(kernels, "scale", scale)
        if (sampled_anchor, sampled_scale) != (anchor, scale):
            raise UserError(
                f"the kernels are anchored '{sampled_anchor}' for x{sampled_scale}, "
                f"the degradation is '{anchor}' and x{scale}",
                where="degradation.kernels",
                fix="give both the same anchor and scale",
            )
        self.scale, self.kernels, self.corruptions = scale, kernels, list(corruptions)
        self.anchor: Anchor = anchor
        self.boundary: Boundary = boundary
        self.phase = phase
        self.resampler: Resampler = resampler or "matlab_bicubic"

    @property
    def factors(self) -> Factors:
        """By which rows and columns are decimated."""
        return self.scale, self.scale

    def forward(
        self, image: Float[Tensor, "b c hs ws"], kernel: Float[Tensor, "n 1 k k"] | None
    ) -> Float[Tensor, "n c h w"]:
        """The differentiable operator of data terms: blur and decimation, no corruption.

        n is b, or a multiple of it for several kernels an image; see `blur_decimate`.
        """
        if kernel is None:
            return decimate(image, self.scale, self.resampler)
        return blur_decimate(image, kernel, self.scale, boundary=self.boundary, phase=self.phase)

    def degrade(
        self,
        hr: Float[Tensor, "b c hs ws"],
        generator: torch.Generator,
        facts: Mapping[str, Any] | None = None,
    ) -> Degraded:
        """Draw kernels and noise, and degrade.

        Args:
            hr: images whose sides are multiples of the factors (see `modcrop`).
            generator: on the CPU; key it by dataset seed and image id (`keyed_generator`).
            facts: what the dataset knows of the images, such as `wavelengths`, on which a blur may depend.
        """
        if self.kernels is None:
            return self.corrupt(decimate_files(hr, self.scale, self.resampler), None, generator)
        kernel = self.kernels.sample(len(hr), generator).to(hr.device)
        return self.corrupt(self(hr, kernel), kernel, generator)

    def bicubic(self, lr: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 hs ws"]:
        """The baseline of every table: MATLAB's bicubic of LR, on the HR grid."""
        return bicubic_upsample_aligned(lr, self.scale, self.anchor, self.phase)

    def corrupt(
        self,
        lr: Float[Tensor, "b c h w"],
        kernel: Float[Tensor, "b 1 k k"] | None,
        generator: torch.Generator,
    ) -> Degraded:
        """Apply the corruptions and add up the noise."""
        noise_level = torch.zeros(len(lr), device=lr.device)
        for corruption in self.corruptions:
            lr, added = corruption(lr, generator)
            if added is not None:
                noise_level = torch.hypot(noise_level, added.to(lr.device))
        return Degraded(lr, kernel, noise_level)


class Unblurred(Degradation):
    """A degradation that draws no kernel: its `forward` alone says what LR is, about block centres.

    Args:
        scale: s.
        grid: factors of rows (azimuth) and columns (range), the larger of which is s; None: s of both.

    Raises:
        UserError: no such factors.
    """

    def __init__(self, scale: int, grid: list[int] | None = None) -> None:
        super().__init__(scale, None, anchor="block_center")
        self._factors = per_axis(scale, grid, "degradation.grid")

    @property
    def factors(self) -> Factors:
        """By which rows and columns are decimated."""
        return self._factors

    def degrade(
        self,
        hr: Float[Tensor, "b c hs ws"],
        generator: torch.Generator,
        facts: Mapping[str, Any] | None = None,
    ) -> Degraded:
        """Apply it."""
        return self.corrupt(self(hr, None), None, generator)

    def bicubic(self, lr: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 hs ws"]:
        """The baseline of every table: MATLAB's bicubic of LR, on the HR grid."""
        return imresize(lr, enlarged_sides(lr, self.factors))


def modcrop(image: Float[Tensor, "*b c h w"], multiple: int | Factors) -> Float[Tensor, "*b c h2 w2"]:
    """Cut bottom and right so that both sides are multiples."""
    height, width = image.shape[-2:]
    down, across = both(multiple)
    return image[..., : height - height % down, : width - width % across]


def keyed_generator(seed: int, image_id: str, purpose: str = "degradation") -> torch.Generator:
    """A CPU generator that depends on its key alone: every method sees the same inputs in any order."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{image_id}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
