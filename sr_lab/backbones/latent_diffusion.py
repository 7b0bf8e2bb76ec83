"""A denoiser with its latents and schedule: what residual-shift diffusion restores images with.

The latent is the image itself, its 4x4 blocks as channels: nothing is to be trained for it, nothing is lost by it, and
grey levels keep their meaning, which a codebook learnt from photographs would not grant.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from sr_lab.backbones.image_to_image import starts_at_zero
from sr_lab.backbones.swin_unet import SwinUNet
from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.resample import bicubic_upsample_aligned
from sr_lab.diffusion.residual_shift import exponential
from sr_lab.errors import UserError
from sr_lab.weights.store import Checkpoint, load_weights, misfit

FACTOR = 4
Correct = Callable[[Float[Tensor, "b c hs ws"]], Float[Tensor, "b c hs ws"]]


class LatentDiffusion(nn.Module):
    """Predicts a clean latent as a correction of the enlarged LR image's; starts at bicubic.

    Args:
        channels: of images.
        scale: 2, 4 or 8. The LR image joins the latent on its grid: at x2 by its 2x2 blocks, at x8 repeated.
        width, mult, blocks, swin_width, heads, window, built: of `SwinUNet`.
        steps, kappa: of the exponential schedule.
        denoiser: in place of one of these sizes.

    Raises:
        UserError: another scale.
    """

    kind: ClassVar[str] = "latent_diffusion"

    def __init__(
        self,
        channels: int,
        scale: int = 4,
        width: int = 32,
        mult: list[int] | tuple[int, ...] = (1, 2, 2),
        blocks: int = 1,
        swin_width: int = 64,
        heads: int = 2,
        window: int = 8,
        built: int = 32,
        steps: int = 15,
        kappa: float = 2.0,
        denoiser: SwinUNet | None = None,
    ) -> None:
        super().__init__()
        if scale not in (2, 4, 8):
            raise UserError(f"no diffusion at x{scale}", where="backbone.scale", fix="allowed: 2, 4, 8")
        self.channels, self.scale = channels, scale
        self.architecture: dict[str, Any] = {
            "kind": self.kind,
            "channels": channels,
            "scale": scale,
            "width": width,
            "mult": list(mult),
            "blocks": blocks,
            "swin_width": swin_width,
            "heads": heads,
            "window": window,
            "built": built,
            "steps": steps,
            "kappa": kappa,
        }
        self.schedule = exponential(steps, kappa)
        if denoiser is None:
            condition = channels * (4 if scale == 2 else 1)
            denoiser = SwinUNet(
                FACTOR**2 * channels, condition, width, mult, blocks, swin_width, heads, window, built
            )
            last = denoiser.out[2]
            assert isinstance(last, nn.Conv2d)
            starts_at_zero(last)
        self.denoiser = denoiser

    @property
    def multiple(self) -> int:
        """LR sides must be multiples of it."""
        return max(FACTOR // self.scale, 1)

    def enlarge(
        self, lr: Float[Tensor, "b c h w"], anchor: Anchor = "block_center", phase: int = 0
    ) -> Float[Tensor, "b c hs ws"]:
        """MATLAB's bicubic on the HR grid of a degradation: what the chain starts from."""
        return bicubic_upsample_aligned(lr, self.scale, anchor, phase)

    def encode(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b z hf wf"]:
        """Images in [0, 1] to latents in [-1, 1]."""
        return F.pixel_unshuffle(2 * image - 1, FACTOR)

    def decode(self, z: Float[Tensor, "b z hf wf"]) -> Float[Tensor, "b c h w"]:
        """Back to images, not clipped."""
        return F.pixel_shuffle(z, FACTOR) / 2 + 0.5

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
        condition = 2 * lr - 1
        if self.scale == 2:
            condition = F.pixel_unshuffle(condition, 2)
        elif self.scale == 8:
            condition = F.interpolate(condition, scale_factor=2.0)
        return zy + self.denoiser((z * self.schedule.input_scale(step)).to(z), step, condition)

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


def diffusion_from(checkpoint: Checkpoint, where: str) -> LatentDiffusion:
    """Build the network that a checkpoint describes and load it strictly.

    Raises:
        UserError: not the weights of such a network.
    """
    arguments = dict(checkpoint.architecture)
    try:
        if arguments.pop("kind", None) != LatentDiffusion.kind:
            raise ValueError("another kind of network")
        net = LatentDiffusion(**arguments)
        net.load_state_dict(checkpoint.state, strict=True)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"these weights are no diffusion network ({misfit(error)})",
            where=where,
            fix="expected weights.pt of experiment=train_ir_diffusion",
        ) from error
    return net.eval()


def load_diffusion(weights: str) -> LatentDiffusion:
    """A trained network by name in `sr-lab weights list`, or by path.

    Raises:
        UserError: not the weights of such a network.
    """
    return diffusion_from(load_weights(weights), weights)
