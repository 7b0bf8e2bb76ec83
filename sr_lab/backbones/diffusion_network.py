"""What every network of residual-shift diffusion shares: a schedule, where the chain starts, and the chain."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.resample import bicubic_upsample_aligned
from sr_lab.diffusion.residual_shift import ResidualShift

FACTOR = 4  # side of an image over that of its latent
Correct = Callable[[Float[Tensor, "b c hs ws"]], Float[Tensor, "b c hs ws"]]


class DiffusionNetwork(nn.Module):
    """Latents, a denoiser of them and a schedule; restores by the reverse chain.

    Args:
        channels: of images.
        scale: s.
        schedule: of the chain.
    """

    def __init__(self, channels: int, scale: int, schedule: ResidualShift) -> None:
        super().__init__()
        self.channels, self.scale, self.schedule = channels, scale, schedule

    @property
    def multiple(self) -> int:
        """LR sides must be multiples of it."""
        return max(FACTOR // self.scale, 1)

    def enlarge(
        self, lr: Float[Tensor, "b c h w"], anchor: Anchor = "block_center", phase: int = 0
    ) -> Float[Tensor, "b c hs ws"]:
        """MATLAB's bicubic on the HR grid of a degradation: what the chain starts from."""
        return bicubic_upsample_aligned(lr, self.scale, anchor, phase)

    @abstractmethod
    def encode(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b z hf wf"]:
        """Images in [0, 1] to latents of a quarter of their side."""

    @abstractmethod
    def decode(self, z: Float[Tensor, "b z hf wf"]) -> Float[Tensor, "b c h w"]:
        """Back to images, not clipped."""

    @abstractmethod
    def forward(
        self,
        z: Float[Tensor, "b z hf wf"],
        step: Int64[Tensor, " b"],
        zy: Float[Tensor, "b z hf wf"],
        lr: Float[Tensor, "b c h w"],
    ) -> Float[Tensor, "b z hf wf"]:
        """The clean latent.

        Args:
            z: noisy latent.
            step: by the number it has in the whole schedule.
            zy: latent of the enlarged LR image.
            lr: in [0, 1].
        """

    def sample(
        self,
        lr: Float[Tensor, "b c h w"],
        enlarged: Float[Tensor, "b c hs ws"],
        generators: list[torch.Generator],
        steps: int,
        stochastic: bool = False,
        correct: Correct | None = None,
    ) -> Float[Tensor, "b c hs ws"]:
        """Restore by the reverse chain.

        Args:
            lr: sides multiples of `multiple`.
            enlarged: the same, on the HR grid.
            generators: of each image's noise, on the CPU.
            steps: of the schedule's; 1 is one-step inference.
            stochastic: draw new noise at every step, instead of keeping the first.
            correct: what is done to each clean image that the network predicts.
        """
        schedule, zy = self.schedule.respaced(steps), self.encode(enlarged)

        def noise() -> Tensor:
            return torch.stack([torch.randn(zy.shape[1:], generator=g) for g in generators]).to(zy)

        z = schedule.start(zy, noise())
        for k in reversed(range(steps)):
            step = torch.full((len(lr),), k, device=lr.device)
            z0 = self(z, schedule.network_index(step), zy, lr)
            if correct is not None:
                z0 = self.encode(correct(self.decode(z0)))
            if stochastic:
                z = schedule.stochastic_step(z0, z, step, noise())
            else:
                z = schedule.deterministic_step(z0, z, zy, step)
        return self.decode(z)
