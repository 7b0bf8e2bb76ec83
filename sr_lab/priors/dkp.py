"""DKP's kernel prior: Double-DIP's network, drawn towards those random kernels that explain the image best."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.chain import Degradation, KernelSampler
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.priors.base import kernel_size_of
from sr_lab.priors.double_dip import DoubleDIP


class DKP(DoubleDIP):
    """Dynamic kernel prior: nothing is trained beforehand; random kernels of a family teach the network as it runs.

    Args:
        kernels: the family; called with (scale=, size=, anchor=) of the degradation to make a sampler.
        lr: Adam step size on the network.
        first_update: first image update at which the kernel moves.
        code_size, hidden: widths; 200 and 1000 as published.
        temperature: T of explicit Langevin noise N(0, 2 lr T) on every weight after a step; 0 as published,
            where chance enters by the random kernels alone.

    Source: Yang et al., A Dynamic Kernel Prior Model for Unsupervised Blind Image Super-Resolution, CVPR 2024.
    """

    def __init__(
        self,
        kernels: Callable[..., KernelSampler],
        lr: float = 1e-4,
        first_update: int = 1,
        code_size: int = 200,
        hidden: int = 1000,
        temperature: float = 0.0,
    ) -> None:
        super().__init__(lr, first_update, code_size, hidden)
        self.kernels, self.temperature = kernels, temperature

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Draw the networks, and keep the generators: each image draws its random kernels from its own."""
        size = kernel_size_of(sample, degradation)
        self.sampler = self.kernels(scale=degradation.scale, size=size, anchor=degradation.anchor)
        self.generators = generators
        super().start(sample, degradation, generators)

    def draw(self, n: int) -> Float[Tensor, "b n k k"]:
        """Draw n random kernels for every image."""
        drawn = torch.stack([self.sampler.sample(n, generator)[:, 0] for generator in self.generators])
        return drawn.to(self.code)

    def distance(self, kernels: Float[Tensor, "b n k k"]) -> Float[Tensor, "b n"]:
        """Mean squared difference of given kernels and the network's."""
        return (kernels - self.kernel()).square().mean((-2, -1))

    @torch.no_grad()
    def add_noise(self) -> None:
        """The Langevin noise that follows a step; drawn image by image."""
        if self.temperature == 0:
            return
        spread = math.sqrt(2 * self.lr * self.temperature)
        for parameter in self.steppable():
            noise = torch.stack([torch.randn(parameter.shape[1:], generator=g) for g in self.generators])
            parameter.add_(noise.to(parameter), alpha=spread)


def focal_weights(costs: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Weights of random kernels by how badly each explains the LR image of its row.

    With p the share of a kernel in the excess over the least cost, w = -(1 - p)^2 log(p + 1e-3): 6.9 for the best
    kernel, less than 1 from p = 0.22 on. The sum and the margins are those of the released code.
    """
    excess = costs - costs.amin(1, keepdim=True)
    p = excess / (1e-5 + excess.sum(1, keepdim=True))
    return -((1 - p) ** 2) * torch.log(p + 1e-3)


def published_gaussians(scale: int, size: int | None = None, anchor: Anchor = "fkp") -> GaussianKernels:
    """DKP's random Gaussians: variances U(0.175 s + s - 1, min(2.5 s, 10) + s + 6).

    Broader than the benchmark's, [3.7, 20] against [0.7, 10] at x4: no kernel is sharp.
    """
    low, high = 0.175 * scale + scale - 1, min(2.5 * scale, 10.0) + scale + 6
    return GaussianKernels(scale, size, (low, high), anchor)
