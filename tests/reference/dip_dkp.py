"""DIP-DKP written down plainly: fp32, eager, one random kernel at a time, every pass that the published code makes.

Shares the image network, the blur and SSIM with `dip_fkp` and nothing with `sr_lab`. The released defaults for x4:
outer iterations of five image updates, a kernel loss with each, a kernel update at every third image update, and
random Gaussian kernels from NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reference.dip_fkp import Skip, degrade, ssim
from reference.gaussian import gaussian_kernel

INNER = 5
KERNEL_EVERY = 3
SAMPLES = 5
WARM_UP = 200
SSIM_OUTER = 80


class KernelNet(nn.Module):
    """A fixed code, two linear layers, softmax."""

    def __init__(self, size: int, seed: int = 1) -> None:
        super().__init__()
        self.size = size
        self.code = torch.rand(200, generator=torch.Generator().manual_seed(seed)) * 0.1
        self.first = nn.Linear(200, 1000)
        self.second = nn.Linear(1000, size**2)

    def forward(self) -> Tensor:
        kernel = torch.softmax(self.second(F.relu6(self.first(self.code))), dim=-1)
        return kernel.view(1, 1, self.size, self.size)


def random_gaussians(scale: int, size: int, seed: int = 0) -> Iterator[Tensor]:
    """Kernels of the published range, without end."""
    rng = np.random.default_rng(seed)
    low, high = 0.175 * scale + 3 + (scale - 4), min(2.5 * scale, 10) + 10 + (scale - 4)
    while True:
        l1, l2 = rng.uniform(low, high, 2)
        kernel = gaussian_kernel((l1, l2), rng.uniform(0, math.pi), scale, size)
        yield torch.from_numpy(kernel)[None, None].float()


def weights(costs: list[float]) -> list[float]:
    """-(1 - p)^2 log(p + 1e-3) with p the share in the excess over the least cost."""
    least = min(costs)
    total = 1e-5 + sum(cost - least for cost in costs)
    shares = [(cost - least) / total for cost in costs]
    return [-((1 - p) ** 2) * math.log(p + 1e-3) for p in shares]


def gradient_penalty(image: Tensor) -> Tensor:
    """Four one-sided differences by convolution with reflection at the edge, each to the power 0.67, summed."""
    total = torch.zeros(())
    for row, column in ((0, 1), (0, 0), (1, 0), (2, 0)):
        stencil = torch.zeros(1, 1, 3, 3)
        stencil[0, 0, 1, 1] = 1
        stencil[0, 0, row, column] = -1
        channels = image.shape[1]
        padded = F.pad(image, (1, 1, 1, 1), mode="reflect")
        difference = F.conv2d(padded, stencil.expand(channels, 1, 3, 3), groups=channels)
        total = total + ((difference.abs() + 1e-8) ** 0.67).sum()
    return total


class DipDkp:
    """One image being restored; `step` makes one image update, the random kernels before every fifth included."""

    def __init__(
        self,
        lr: Tensor,
        scale: int,
        size: int,
        kernels: Iterator[Tensor] | None = None,
        net: Callable[[], nn.Module] = Skip,
        seed: int = 0,
    ) -> None:
        self.lr, self.scale = lr, scale
        shape = (1, 3, lr.shape[2] * scale, lr.shape[3] * scale)
        self.z = torch.rand(shape, generator=torch.Generator().manual_seed(seed + 1)) * 0.1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net, self.kernel_net = net(), KernelNet(size)
        self.kernels = random_gaussians(scale, size, seed) if kernels is None else kernels
        self.net_optimizer = torch.optim.Adam(self.net.parameters(), lr=5e-3)
        self.kernel_optimizer = torch.optim.Adam(self.kernel_net.parameters(), lr=1e-4)
        self.updates = 0
        self.pending: list[Tensor] = []
        self.used: list[int] = []  # kernel losses summed in each kernel update

    def step_kernel(self, loss: Tensor) -> None:
        self.kernel_optimizer.zero_grad()
        loss.backward()
        self.kernel_optimizer.step()

    def warm_up(self) -> None:
        for _ in range(WARM_UP):
            self.step_kernel(F.mse_loss(next(self.kernels), self.kernel_net()))

    def distance(self, out: Tensor, outer: int) -> Tensor:
        return 1 - ssim(out, self.lr) if outer <= SSIM_OUTER else F.mse_loss(out, self.lr)

    def random_kernels(self) -> None:
        """Step (a)."""
        sr = self.net(self.z)
        kernel = self.kernel_net()
        costs, distances = [], []
        for _ in range(SAMPLES):
            drawn = next(self.kernels)
            costs.append(F.mse_loss(degrade(sr.detach(), drawn, self.scale), self.lr).item())
            distances.append(F.mse_loss(drawn, kernel))
        terms = [weight * term for weight, term in zip(weights(costs), distances, strict=True)]
        self.step_kernel(torch.stack(terms).sum())

    def step(self) -> tuple[Tensor, Tensor, float]:
        """The image, the kernel and the data term of this update's forward pass, and the update."""
        outer, inner = divmod(self.updates, INNER)
        if inner == 0:
            self.random_kernels()
            self.pending = []
        self.updates += 1
        kernel = self.kernel_net()
        sr = self.net(self.z)
        data = self.distance(degrade(sr, kernel.detach(), self.scale), outer)
        penalty = 0.001 * 0.20 * gradient_penalty(sr) / (3 * self.lr.shape[2] * self.lr.shape[3])
        self.net_optimizer.zero_grad()
        (data + penalty).backward()
        self.pending.append(self.distance(degrade(sr.detach(), kernel, self.scale), outer))
        self.net_optimizer.step()
        if self.updates % KERNEL_EVERY == 0:
            self.used.append(len(self.pending))
            self.step_kernel(torch.stack(self.pending).sum())
            self.pending = []
        return sr.detach(), kernel.detach(), data.item()
