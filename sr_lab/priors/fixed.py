"""Kernels that are known instead of estimated: the true one, a file, and MATLAB's bicubic."""

import math
from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import Anchor, default_kernel_size
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.io.kernels import read_kernel
from sr_lab.priors.base import KernelPrior


class FixedKernel(KernelPrior):
    """A prior with nothing to step."""

    fixed: Tensor

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Look the kernels up."""
        self.register_buffer("fixed", self.look_up(sample, degradation).to(sample.lr.device))

    @abstractmethod
    def look_up(self, sample: Sample, degradation: Degradation) -> Float[Tensor, "b 1 k k"]:
        """The kernels of a sample."""

    def kernel(self) -> Float[Tensor, "b 1 k k"]:
        """The kernels, unchanged."""
        return self.fixed


class Oracle(FixedKernel):
    """The true kernel: the bound that an estimate is measured against."""

    def look_up(self, sample: Sample, degradation: Degradation) -> Float[Tensor, "b 1 k k"]:
        """The sample's kernel."""
        if sample.kernel is None:
            raise UserError("the true kernel is unknown here", where="prior=oracle", fix="choose prior=fkp")
        return sample.kernel


class KernelFile(FixedKernel):
    """One kernel for all images, from a .mat, .npy or picture file.

    Args:
        path: kernel file; correlation convention, at the anchor of the degradation.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def look_up(self, sample: Sample, degradation: Degradation) -> Float[Tensor, "b 1 k k"]:
        """The file's kernel, repeated."""
        kernel = torch.from_numpy(read_kernel(self.path)).float()
        return kernel.expand(len(sample), 1, -1, -1)


class BicubicKernel(FixedKernel):
    """The kernel that nets trained on bicubic data assume: MATLAB's antialiased cubic, at the anchor."""

    def look_up(self, sample: Sample, degradation: Degradation) -> Float[Tensor, "b 1 k k"]:
        """Separable, 4s taps wide."""
        kernel = bicubic_kernel(degradation.scale, degradation.anchor)
        return kernel.expand(len(sample), 1, -1, -1)


def bicubic_kernel(scale: int, anchor: Anchor) -> Float[Tensor, "1 1 k k"]:
    """MATLAB's bicubic decimation by s as a correlation kernel: the impulse response of `imresize`.

    On the default window, or from x6 on the least that holds its 4s taps.
    """
    reach = math.ceil((5 * scale - 1) / 2) - 1  # 2s taps either way of a centre (s-1)/2 off the window's
    size, blocks = max(default_kernel_size(scale), 2 * reach + 1), 9
    impulses = torch.eye(blocks * scale, dtype=torch.float64)[None, None]
    response = imresize(impulses, (blocks, blocks * scale))[0, 0, blocks // 2]
    first = blocks // 2 * scale - size // 2
    line = response[first : first + size]
    kernel = torch.outer(line, line)[None, None].float()  # at the block centre, as MATLAB aligns
    return kernel if anchor == "block_center" else kernel.flip(-2, -1)
