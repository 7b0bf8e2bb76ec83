"""A blind degradation for grey thermal images: blur, sinc, resize, noise, stripes and JPEG, each by chance, twice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sr_lab.degradation.blur import blur_decimate
from sr_lab.degradation.chain import Corruption, Degradation, Degraded
from sr_lab.degradation.jpeg import jpeg
from sr_lab.degradation.noise import add_gaussian
from sr_lab.degradation.resample import imresize
from sr_lab.degradation.resampler import Resampler
from sr_lab.errors import UserError

Range = Sequence[float | int]
SMALLEST = 16  # pixels a side that an image keeps under all its resizing
ORDER = 3  # of the polynomials that columns respond by
NEGLIGIBLE = 1e-12  # weights below it are 0: denormal numbers make convolutions slow
_EIGHT_BITS = 255.0


@dataclass(frozen=True)
class Stage:
    """Ranges of one pass, drawn uniformly; levels are those of 8 bits.

    Args:
        gaussian: standard deviation of the noise, in levels.
        poisson: factor on zero-mean Poisson noise.
        resize: factors of the sides; None: to the LR size, whatever the gate.
    """

    gaussian: Range
    poisson: Range
    resize: Range | None


STAGES = (
    Stage(gaussian=(1, 30), poisson=(0.05, 3), resize=(0.5, 1.5)),
    Stage(gaussian=(1, 25), poisson=(0.05, 2.5), resize=None),
)


class InfraredChain(Degradation):
    """A random chain per image, whose last resize is to the LR size; for training.

    A batch shares how it is resized, so that it stays one tensor; all else is drawn per image. There is no one kernel.
    The noise level that comes back is the Gaussian noise of the last pass, if it has any: the earlier noise is no
    longer white.

    Args:
        scale: s.
        gate: chance of each unit to be applied.
        stripes: standard deviation of the coefficients of column stripes.
        sides: (smallest, largest) odd side of blur and sinc kernels.
        quality: range of the JPEG quality.
        corruptions: applied to the LR image at the end, such as `Quantise`.
        resampler: of `forward`, which stands for the chain in data terms.

    Raises:
        UserError: a gate or sides that do not fit.

    Source: the unified gated degradation of SwinIBSR. It does not tell the factors of its first resize; ours are in
    `STAGES`. Its 0.05 of stripes is taken for a standard deviation: as a variance it would drown the image.
    """

    forward_is_exact = False

    def __init__(
        self,
        scale: int,
        gate: float | int = 0.5,
        stripes: float | int = 0.05,
        sides: Sequence[int] = (3, 21),
        quality: Range = (30, 95),
        corruptions: Sequence[Corruption] = (),
        resampler: Resampler | None = None,
    ) -> None:
        super().__init__(
            scale, None, corruptions, anchor="block_center", boundary="reflect", resampler=resampler
        )
        if (
            not 0 <= gate <= 1
            or len(sides) != 2
            or not 0 < sides[0] <= sides[1]
            or not sides[0] % 2 == sides[1] % 2 == 1
        ):
            raise UserError(
                f"gate {gate} and sides {list(sides)} are not a share and two odd sides",
                where="degradation",
                fix="use gate=0.5 and sides=[3, 21]",
            )
        self.gate, self.stripes, self.sides, self.quality = gate, stripes, sides, quality

    def degrade(
        self,
        hr: Float[Tensor, "b c hs ws"],
        generator: torch.Generator,
        facts: Mapping[str, Any] | None = None,
    ) -> Degraded:
        """Draw chains and apply them.

        Args:
            hr: one channel, about [0, 1]; sides multiples of the scale. JPEG clips.
            generator: on the CPU.
            facts: not needed.

        Raises:
            UserError: more than one channel, or an image that is smaller than half of a kernel.
        """
        if hr.shape[1] != 1:
            raise UserError(
                f"the chain is for one channel, this image has {hr.shape[1]}",
                where="degradation=infrared_chain",
                fix="use it with scene=infrared",
            )
        size = (hr.shape[-2] // self.scale, hr.shape[-1] // self.scale)
        image, level = hr, torch.zeros(len(hr))
        for stage in STAGES:
            image = self._by_chance(image, self._blurred, generator)
            image = self._by_chance(image, self._cut_off, generator)
            image = self._resized(image, stage, size, generator)
            image, level = self._noisy(image, stage, generator)
            image = self._by_chance(image, self._striped, generator)
            image = self._by_chance(image, self._compressed, generator)
        degraded = self.corrupt(image, None, generator)
        degraded.noise_level = torch.hypot(degraded.noise_level, level.to(hr.device))
        return degraded

    def _by_chance(
        self, image: Tensor, unit: Callable[[Tensor, torch.Generator], Tensor], generator: torch.Generator
    ) -> Tensor:
        """Apply a unit to those images whose gate is open."""
        open_gates = torch.rand(len(image), generator=generator) < self.gate
        if not open_gates.any():
            return image
        image = image.clone()
        image[open_gates] = unit(image[open_gates], generator)
        return image

    def _blurred(self, image: Tensor, generator: torch.Generator) -> Tensor:
        kernels = random_blurs(self._sides(len(image), generator), generator)
        return blur_decimate(image, kernels.to(image), 1, boundary=self.boundary)

    def _cut_off(self, image: Tensor, generator: torch.Generator) -> Tensor:
        sides = self._sides(len(image), generator)
        cutoffs = torch.pi * _uniform((1 / 3, 1), len(image), generator)
        return blur_decimate(image, sinc_kernels(sides, cutoffs).to(image), 1, boundary=self.boundary)

    def _resized(
        self, image: Tensor, stage: Stage, size: tuple[int, int], generator: torch.Generator
    ) -> Tensor:
        """By bilinear, bicubic or area, with equal chances; all images alike."""
        if stage.resize is not None:
            gate, factor = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
            if gate >= self.gate:
                return image
            factor = stage.resize[0] + (stage.resize[1] - stage.resize[0]) * factor
            height, width = (max(round(factor * side), min(SMALLEST, side)) for side in image.shape[-2:])
            size = height, width
        how = int(torch.randint(3, (1,), generator=generator))
        if how == 0:
            return F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)
        return imresize(image, size) if how == 1 else F.interpolate(image, size, mode="area")

    def _noisy(
        self, image: Tensor, stage: Stage, generator: torch.Generator
    ) -> tuple[Tensor, Float[Tensor, " b"]]:
        """Gaussian or Poisson noise, with equal chances; and the standard deviation of the former."""
        count = len(image)
        gate, gaussian = torch.rand(2, count, generator=generator)
        sd = _uniform(stage.gaussian, count, generator).float() / _EIGHT_BITS
        sd = sd.where((gate < self.gate) & (gaussian < 0.5), 0)
        factor = _uniform(stage.poisson, count, generator)
        factor = factor.where((gate < self.gate) & (gaussian >= 0.5), 0)
        mean = _EIGHT_BITS * image.clamp(0, 1).cpu()
        shot = (torch.poisson(mean, generator) - mean) / _EIGHT_BITS
        image = image + (factor[:, None, None, None] * shot).to(image)
        return add_gaussian(image, sd, generator), sd

    def _striped(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Columns with a response of their own: y = x + sum_p a_p(j) x^p."""
        shape = (ORDER + 1, len(image), 1, 1, image.shape[-1])
        coefficients = self.stripes * torch.randn(shape, generator=generator).to(image)
        return image + sum(
            (each * image**power for power, each in enumerate(coefficients)), torch.zeros_like(image)
        )

    def _compressed(self, image: Tensor, generator: torch.Generator) -> Tensor:
        quality = _uniform(self.quality, len(image), generator)
        return jpeg(image.clamp(0, 1), quality.to(image))

    def _sides(self, count: int, generator: torch.Generator) -> Int[Tensor, " n"]:
        low, high = self.sides
        return low + 2 * torch.randint((high - low) // 2 + 1, (count,), generator=generator)


def random_blurs(sides: Int[Tensor, " n"], generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
    """Centred blur kernels: Gaussian (.7), generalised Gaussian (.15) or plateau (.15), half of them isotropic.

    Widths 0.2 to 3 pixels, angles 0 to pi; the generalised shape beta is 0.5 to 4, that of plateaus 1 to 2.

    Args:
        sides: odd side of each; beyond it a kernel is 0, so that all have the largest side k.
        generator: on the CPU.
    """
    draw = torch.rand(6, len(sides), 1, 1, generator=generator, dtype=torch.float64)
    along, across = 0.2 + 2.8 * draw[0], 0.2 + 2.8 * draw[1]
    across = torch.where(draw[2] < 0.5, along, across)
    angle = torch.pi * draw[3]
    y, x = _grid(sides)
    u, v = angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x
    distance = (u / along) ** 2 + (v / across) ** 2
    shape = torch.where(draw[4] < 0.7, 1, 0.5 + 3.5 * draw[5])
    kernels = torch.where(
        draw[4] < 0.85, torch.exp(-0.5 * distance**shape), 1 / (1 + distance ** (1 + draw[5]))
    )
    return _windowed(kernels, sides)


def sinc_kernels(sides: Int[Tensor, " n"], cutoffs: Float[Tensor, " n"]) -> Float[Tensor, "n 1 k k"]:
    """Ideal circular low-passes, cut off at their windows: omega J1(omega r) / (2 pi r), scaled to sum 1.

    Args:
        sides: as of `random_blurs`.
        cutoffs: omega, radians / pixel.
    """
    y, x = _grid(sides)
    r, omega = torch.hypot(y, x), cutoffs.double()[:, None, None]
    away = omega * torch.special.bessel_j1(omega * r) / (2 * torch.pi * r.clamp_min(1))
    return _windowed(torch.where(r == 0, omega**2 / (4 * torch.pi), away), sides)


def _grid(sides: Tensor) -> tuple[Float[Tensor, "k 1"], Float[Tensor, " k"]]:
    """Rows and columns of the largest side, from its middle."""
    reach = int(sides.max()) // 2
    place = torch.arange(-reach, reach + 1, dtype=torch.float64)
    return place[:, None], place


def _windowed(kernels: Float[Tensor, "n k k"], sides: Tensor) -> Float[Tensor, "n 1 k k"]:
    y, x = _grid(sides)
    inside = torch.maximum(y.abs(), x.abs()) <= sides[:, None, None] // 2
    kernels = torch.where(inside & (kernels.abs() > NEGLIGIBLE), kernels, 0)
    return (kernels / kernels.sum((1, 2), keepdim=True))[:, None].float()


def _uniform(limits: Range, count: int, generator: torch.Generator) -> Float[Tensor, " n"]:
    low, high = limits
    return low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)
