"""A solver of colour pictures on channels that are not colours: each is restored as a grey picture."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.data.sample import Sample

AT_ONCE = 8  # channels, which bounds the memory


class Channelwise(nn.Module):
    """Gives every channel to the solver as a picture of its own, so that it takes any number of them.

    Args:
        solver: network called with (lr, kernel, scale, noise_level), of `channels` channels.
    """

    def __init__(self, solver: nn.Module) -> None:
        super().__init__()
        self.solver = solver
        self.colours = int(getattr(solver, "channels", 3))

    def forward(
        self,
        lr: Float[Tensor, "b c h w"],
        kernel: Float[Tensor, "b m k k"],
        scale: int,
        noise_level: Float[Tensor, " b"],
    ) -> Float[Tensor, "b c hs ws"]:
        """Restore, as the solver does.

        Args:
            lr: images; any number of channels.
            kernel: one for all channels of an image (m = 1), or one for each (m = c).
            scale: s.
            noise_level: standard deviation of the LR noise, the same in all channels of an image.
        """
        channels = lr.shape[1]
        grey = lr.flatten(0, 1)[:, None].expand(-1, self.colours, -1, -1)
        kernels = kernel.expand(-1, channels, -1, -1).flatten(0, 1)[:, None]
        levels = noise_level.repeat_interleave(channels)
        parts = zip(*(whole.split(AT_ONCE) for whole in (grey, kernels, levels)), strict=True)
        restored = [self.solver(part, own, scale, level).mean(1) for part, own, level in parts]
        return torch.cat(restored).unflatten(0, (len(lr), channels))


def solver_for(solver: nn.Module, sample: Sample) -> nn.Module:
    """The solver itself where the channels of a sample are the colours that it knows, else channel by channel."""
    colours = int(getattr(solver, "channels", 3))
    return solver if sample.grey is None and sample.lr.shape[1] == colours else Channelwise(solver)
