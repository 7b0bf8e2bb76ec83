"""DIP-Softmax's kernel prior: a free vector under a softmax."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.priors.base import KernelPrior, kernel_logits, kernel_size_of


class Softmax(KernelPrior):
    """Any non-negative kernel that sums to 1; starts flat (FKP's DIPSoftmax baseline).

    Args:
        lr: Adam step size on the logits.
        first_update: as in FKP.
    """

    logits: nn.Parameter

    def __init__(self, lr: float = 0.5, first_update: int = 77) -> None:
        super().__init__(lr, first_update)

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Ones for every pixel."""
        self.size = kernel_size_of(sample, degradation)
        self.logits = nn.Parameter(torch.ones(len(sample), self.size**2, device=sample.lr.device))

    @torch.no_grad()
    def start_from(self, kernel: Float[Tensor, "b 1 k k"]) -> None:
        """Take the kernel's logits."""
        self.logits.copy_(kernel_logits(kernel, self.size))

    def kernel(self) -> Float[Tensor, "b 1 k k"]:
        """Softmax over the window."""
        return torch.softmax(self.logits, dim=-1).view(-1, 1, self.size, self.size)
