"""The kernels of an FKP flow as a family: its latent code, with H by the Fourier transform of the decoded kernel."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.priors.flow import KernelFlow
from sr_lab.priors.spectral.aliases import Aliases
from sr_lab.priors.spectral.family import Family, Gaussian
from sr_lab.weights.store import load_weights

_FLOOR = 1e-8  # |H|^2 below which noise is all there is


class FlowKernels(Family):
    """What a flow was trained on: one's own kernels, too. Of two kernels with one |H|^2, that with the likelier code.

    Args:
        weights: name in `sr-lab weights list`, or a path, of a flow trained for the scale.
    """

    thinning = 2  # the tapers spread each frequency over its neighbours, so that little is lost

    def __init__(self, weights: str) -> None:
        flow = KernelFlow.from_state_dict(load_weights(weights).state, where=weights)
        self.flow = flow.double().requires_grad_(False)

    def prior(self, scale: int) -> Gaussian:
        """N(0, I), the flow's own."""
        numbers = self.flow.dimension
        return Gaussian(torch.zeros(numbers, dtype=torch.float64), torch.eye(numbers, dtype=torch.float64))

    def typical(self, scale: int) -> Float[Tensor, " d"]:
        """The likeliest code."""
        return torch.zeros(self.flow.dimension, dtype=torch.float64)

    def log_gain(self, shape: Float[Tensor, " d"], at: Aliases) -> Float[Tensor, "n m"]:
        """Of the kernel's transform."""
        response = transform(self._pixels(shape), at)
        return torch.log(response.abs().square() + _FLOOR)

    def slope(
        self, shape: Float[Tensor, " d"], at: Aliases, share: Float[Tensor, "n m"]
    ) -> Float[Tensor, "n d"]:
        """By way of the kernel's pixels: one product with the decoder's Jacobian in place of d directions."""
        response = transform(self._pixels(shape), at)
        weight = 2 * share / (response.abs().square() + _FLOOR) * response.conj()
        by_pixel = adjoint(weight, at, self.flow.side).real.flatten(1)
        by_code = torch.func.jacrev(self._pixels)(shape).flatten(0, 1)
        return by_pixel @ by_code

    def log_variance(self, shape: Float[Tensor, " d"]) -> Float[Tensor, ""]:
        """Of the kernel's mass about its centre, both axes together."""
        kernel = self._pixels(shape)
        place = torch.arange(self.flow.side, dtype=kernel.dtype)
        across, down = kernel.sum(0), kernel.sum(1)
        squares = (across + down) @ place**2
        return torch.log(squares - (across @ place) ** 2 - (down @ place) ** 2)

    def render(self, shape: Float[Tensor, "b d"], scale: int, size: int) -> Float[Tensor, "b 1 k k"]:
        """Decoded kernels, where the flow puts them."""
        if size != self.flow.side:
            raise UserError(
                f"the flow makes {self.flow.side}x{self.flow.side} kernels, the degradation {size}x{size}",
                where="prior.family.weights",
                fix="choose the flow of this scale (fkp_x2, fkp_x3, fkp_x4) or experiment=train_fkp",
            )
        return torch.stack([self._pixels(code) for code in shape])[:, None].float()

    def _pixels(self, code: Float[Tensor, " d"]) -> Float[Tensor, "k k"]:
        """The decoded kernel, divided by its sum."""
        kernel = self.flow.decode(code[None])[0, 0]
        return kernel / kernel.sum()


def _waves(at: Aliases, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """exp(-2 pi i f x) of the first alias along y and x, (n, k), and of the distances to the others, (s, k).

    An alias is a whole number of LR cycles away, the same for every LR frequency, so that no (n, m, k) is needed.
    """
    place = -2j * math.pi * torch.arange(size, dtype=torch.float64) / at.scale
    first, steps = at.frequency[:, 0], torch.arange(at.scale, dtype=torch.float64)
    return (
        torch.exp(first[:, :1] * place),
        torch.exp(first[:, 1:] * place),
        torch.exp(steps[:, None] * place),
    )


def transform(kernel: Float[Tensor, "k k"], at: Aliases) -> Tensor:
    """H at every alias, (n, m) complex."""
    wave_y, wave_x, step = _waves(at, len(kernel))
    by_row = torch.einsum("nx,bx,yx->nby", wave_x, step, kernel.to(step.dtype))
    return torch.einsum("nby,ny,ay->nab", by_row, wave_y, step).flatten(1)


def adjoint(weight: Tensor, at: Aliases, size: int) -> Tensor:
    """Sum over the aliases of weight (n, m) times dH / dkernel: (n, k, k) complex."""
    wave_y, wave_x, step = _waves(at, size)
    by_row = torch.einsum("nab,ay,ny->nby", weight.unflatten(1, (at.scale, at.scale)), step, wave_y)
    return torch.einsum("nby,bx,nx->nyx", by_row, step, wave_x)
