"""KernelGAN's generator: a deep linear network, which is a kernel with a better-behaved gradient."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

FILTERS = (7, 5, 3, 1, 1, 1)
WIDTH = 64
SIDE = sum(FILTERS) - len(FILTERS) + 1


class DeepLinear(nn.Module):
    """Convolutions without biases or activations; 150,656 parameters that stand for one 13x13 kernel.

    Layers that are linear throughout do the same as their common kernel, gradients included, so it alone is applied
    to images, which is far less work than layer by layer.

    Args:
        generator: source of the initial weights (Xavier normal, gain 0.1).

    Source: Bell-Kligler et al., NeurIPS 2019, section 4.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        widths = (1, *[WIDTH] * (len(FILTERS) - 1), 1)
        shapes = zip(widths[1:], widths[:-1], FILTERS, strict=True)
        self.layers = nn.ParameterList(torch.empty(out, into, side, side) for out, into, side in shapes)
        for layer in self.layers:
            nn.init.xavier_normal_(layer, gain=0.1, generator=generator)

    def kernel(self) -> Float[Tensor, "1 1 13 13"]:
        """The layers' common correlation kernel: their full convolution on a delta, from the narrow end."""
        kernel = self.layers[0].new_ones(1, 1, 1, 1)
        for layer in reversed(list(self.layers)):
            kernel = F.conv_transpose2d(kernel, layer)
        return kernel


def halve(image: Float[Tensor, "b c h w"], kernel: Float[Tensor, "1 1 k k"]) -> Float[Tensor, "b c h2 w2"]:
    """Correlate every channel with the kernel where it fits inside, and keep each second row and column."""
    grey = F.conv2d(image.flatten(0, 1)[:, None], kernel, stride=2)
    return grey.view(*image.shape[:2], *grey.shape[-2:])


def halved_side(side: int, kernel_side: int) -> int:
    """Side of what `halve` makes of a crop."""
    return (side - kernel_side) // 2 + 1
