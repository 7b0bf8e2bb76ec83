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

    A method calls `start` once per sample, and `start_from` if it has an estimate; then it repeats: `kernel()`,
    backward, a step on `parameters()` from iteration `first_update` on, `after_step()`.

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

    def start_from(self, kernel: Float[Tensor, "b 1 k k"]) -> None:
        """Move the started parameters to where `kernel()` is as near as may be to a given kernel.

        Args:
            kernel: one per image, at the anchor of the degradation, of the size that `kernel()` has.

        Raises:
            UserError: the prior has no parameters to move, or makes kernels of another size.
        """
        raise UserError(
            f"{type(self).__name__} cannot start from another prior's kernel",
            where="prior@start",
            fix="use prior@start=none, or prior=fkp, dkp, double_dip or softmax",
        )

    def after_step(self) -> None:
        """Project the parameters onto their constraint; called on every iteration, frozen or not."""

    def uncertainty(self) -> Float[Tensor, " b"] | None:
        """Standard deviation of the logarithm of each kernel's variance, where a prior knows how sure it is."""
        return None

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


LEAST = 1e-4


def kernel_logits(kernel: Float[Tensor, "b 1 k k"], size: int) -> Float[Tensor, "b d"]:
    """Logits whose softmax is the kernel; what is less than 1e-4 of its peak counts as that much.

    Zero itself has no logit, and a very negative one has no gradient to come back by.

    Raises:
        UserError: the kernel is not size x size.
    """
    same_size(kernel, size)
    flat = kernel.flatten(1)
    return torch.log(torch.maximum(flat, LEAST * flat.amax(1, keepdim=True)))


def same_size(kernel: Float[Tensor, "b 1 k k"], size: int) -> None:
    """Refuse to start kernels of one size from another.

    Raises:
        UserError: the kernel is not size x size.
    """
    if kernel.shape[-1] != size:
        raise UserError(
            f"the estimate has {kernel.shape[-1]}x{kernel.shape[-1]} pixels, the prior's kernels {size}x{size}",
            where="prior@start",
            fix=f"give an estimate of {size}x{size} pixels",
        )


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
