"""LR radar images from intensity: multilooked, blurred under speckle, or by bicubic as in papers."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.blur import Boundary, blur_decimate
from sr_lab.degradation.chain import Corruption, Degradation, KernelSampler, Unblurred
from sr_lab.degradation.factors import reduced_sides
from sr_lab.degradation.resample import imresize
from sr_lab.io.complex import amplitude, intensity


class Multilook(Unblurred):
    """Mean intensity of s x s pixels, as detected products are made; fewer than s^2 looks where pixels correlate.

    Args:
        scale: s.
        grid: factors of rows (azimuth) and columns (range), the larger of which is s; null: s of both.
    """

    def __init__(self, scale: int, grid: list[int] | None = None) -> None:
        super().__init__(scale, grid)

    def forward(
        self, image: Float[Tensor, "b c hs ws"], kernel: Float[Tensor, "n 1 k k"] | None
    ) -> Float[Tensor, "n 1 h w"]:
        """The amplitude of LR, from a complex or a detected image."""
        return torch.nn.functional.avg_pool2d(intensity(image), self.factors).sqrt()


class DetectedBlur(Degradation):
    """I_LR = ((I * k) decimated by s) n: the kernel acts on intensity, and the speckle n comes last.

    Args:
        scale: s.
        kernels: sampler of blur kernels.
        corruptions: of the LR amplitude, such as `Speckle`.
        anchor: convention of the kernels.
        boundary: of the blur.
        phase: first pixel that decimation keeps.
    """

    def __init__(
        self,
        scale: int,
        kernels: KernelSampler,
        corruptions: Sequence[Corruption] = (),
        anchor: Anchor = "block_center",
        boundary: Boundary = "reflect",
        phase: int = 0,
    ) -> None:
        super().__init__(scale, kernels, corruptions, anchor, boundary, phase)

    def forward(
        self, image: Float[Tensor, "b c hs ws"], kernel: Float[Tensor, "n 1 k k"] | None
    ) -> Float[Tensor, "n 1 h w"]:
        """The amplitude of LR without speckle, from a complex or a detected image."""
        assert kernel is not None
        blurred = blur_decimate(
            intensity(image), kernel, self.scale, boundary=self.boundary, phase=self.phase
        )
        return blurred.clamp_min(0).sqrt()


class BicubicAmplitude(Unblurred):
    """MATLAB's bicubic of the amplitude: what GAN papers do, and no sensor. It mixes looks and moves the mean.

    Args:
        scale: s.
        grid: as of `Multilook`.
    """

    def __init__(self, scale: int, grid: list[int] | None = None) -> None:
        super().__init__(scale, grid)

    def forward(
        self, image: Float[Tensor, "b c hs ws"], kernel: Float[Tensor, "n 1 k k"] | None
    ) -> Float[Tensor, "n 1 h w"]:
        """The amplitude of LR, from a complex or a detected image."""
        return imresize(amplitude(image), reduced_sides(image, self.factors)).clamp_min(0)
