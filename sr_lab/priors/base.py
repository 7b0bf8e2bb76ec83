"""KernelPrior: what a blur kernel may be, and how it is parametrised while it is estimated."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import default_kernel_size
from sr_lab.degradation.chain import Degradation
from sr_lab.errors import UserError


class KernelPrior(nn.Module, ABC):
    """A parametrisation of kernels, batched over images, that a method steps by gradients.

    A method calls `start` once per sample, then repeats: `kernel()`, backward, a step on `parameters()` from
    iteration `first_update` on, `after_step()`.

    Args:
        lr: Adam step size; 0 for priors with nothing to estimate.
        first_update: first iteration (1-based) that moves the parameters.
    """

    def __init__(self, lr: float = 0.0, first_update: int = 1) -> None:
        super().__init__()
        self.lr, self.first_update = lr, first_update

    @abstractmethod
    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Set up parameters for the images of a sample, one CPU generator per image.

        Raises:
            UserError: the prior cannot serve this degradation (scale, kernel size, no true kernel).
        """

    @abstractmethod
    def kernel(self) -> Float[Tensor, "b 1 k k"]:
        """The current kernels at the anchor of the degradation."""

    def after_step(self) -> None:
        """Project the parameters onto their constraint; called on every iteration, frozen or not."""

    def steppable(self) -> list[nn.Parameter]:
        """Parameters that the method optimises."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


class KernelField(KernelPrior):
    """A kernel prior whose kernels differ from place to place; `kernel` gives the one of the whole image."""

    @property
    @abstractmethod
    def varies(self) -> bool:
        """Whether any image of the sample needs more than one kernel."""

    @abstractmethod
    def kernel_at(self, y: float, x: float) -> Float[Tensor, "b 1 k k"]:
        """The kernels at a place, 0 at the top and left edge of the image and 1 at the others."""


def kernel_size_of(sample: Sample, degradation: Degradation) -> int:
    """Side of the kernels of a sample, or else of those that the degradation draws.

    Raises:
        UserError: the degradation has no kernel (bicubic).
    """
    if sample.kernel is not None:
        return sample.kernel.shape[-1]
    kernels = degradation.kernels
    if kernels is None:
        raise UserError(
            "this degradation has no blur kernel to estimate",
            where="prior",
            fix="choose a degradation with kernels (gaussian, motion, ...) or method=interpolate",
        )
    return (
        getattr(kernels, "kernel_size", None)
        or getattr(kernels, "size", None)
        or default_kernel_size(degradation.scale)
    )
