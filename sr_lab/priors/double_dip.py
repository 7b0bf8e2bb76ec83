"""Double-DIP's kernel prior: an untrained fully connected network with a softmax."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.priors.base import KernelPrior, kernel_logits, kernel_size_of


class DoubleDIP(KernelPrior):
    """Fixed code, Linear, ReLU6, Linear, softmax; one network per image (Ren et al., SelfDeblur, CVPR 2020).

    Args:
        lr: Adam step size on the network.
        first_update: 1 as published: the freeze of FKP's code touches only the code, which nobody optimises.
        code_size, hidden: widths; 200 and 1000 as published.
    """

    weight_in: nn.Parameter
    bias_in: nn.Parameter
    weight_out: nn.Parameter
    bias_out: nn.Parameter
    code: Tensor

    def __init__(
        self, lr: float = 1e-4, first_update: int = 1, code_size: int = 200, hidden: int = 1000
    ) -> None:
        super().__init__(lr, first_update)
        self.code_size, self.hidden = code_size, hidden

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Draw codes from U[0, 0.1) and layers as `torch.nn.Linear` does."""
        self.size = kernel_size_of(sample, degradation)
        device = sample.lr.device
        self.register_buffer(
            "code", torch.stack([0.1 * torch.rand(self.code_size, generator=g) for g in generators])
        )
        self.weight_in, self.bias_in = _linear(self.code_size, self.hidden, generators)
        self.weight_out, self.bias_out = _linear(self.hidden, self.size**2, generators)
        self.to(device)

    @torch.no_grad()
    def start_from(self, kernel: Float[Tensor, "b 1 k k"]) -> None:
        """Set the last biases so that the logits are the kernel's; the random weights stay as they are."""
        self.bias_out.add_(kernel_logits(kernel, self.size)[:, None] - self._logits())

    def kernel(self) -> Float[Tensor, "b 1 k k"]:
        """One forward pass of every network."""
        return torch.softmax(self._logits(), dim=-1).view(-1, 1, self.size, self.size)

    def _logits(self) -> Float[Tensor, "b 1 d"]:
        hidden = torch.baddbmm(self.bias_in, self.code[:, None], self.weight_in).clamp(0, 6)
        return torch.baddbmm(self.bias_out, hidden, self.weight_out)


def _linear(
    fan_in: int, fan_out: int, generators: list[torch.Generator]
) -> tuple[nn.Parameter, nn.Parameter]:
    """Weights (b, in, out) and biases (b, 1, out), uniform in +-1/sqrt(fan_in)."""
    bound = 1 / math.sqrt(fan_in)

    def draw(*shape: int) -> nn.Parameter:
        return nn.Parameter(
            torch.stack([bound * (2 * torch.rand(*shape, generator=g) - 1) for g in generators])
        )

    return draw(fan_in, fan_out), draw(1, fan_out)
