"""A denoiser with its latents and schedule: what residual-shift diffusion restores images with.

The latent is the image itself, its 4x4 blocks as channels: nothing is to be trained for it, nothing is lost by it, and
grey levels keep their meaning, which a codebook learnt from photographs would not grant.
"""

from typing import Any, ClassVar

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from sr_lab.backbones.diffusion_network import FACTOR, DiffusionNetwork
from sr_lab.backbones.image_to_image import starts_at_zero
from sr_lab.backbones.swin_unet import SwinUNet
from sr_lab.diffusion.residual_shift import exponential
from sr_lab.errors import UserError
from sr_lab.weights.store import Checkpoint, load_weights, misfit


class LatentDiffusion(DiffusionNetwork):
    """Predicts a clean latent as a correction of the enlarged LR image's; starts at bicubic.

    Args:
        channels: of images.
        scale: 2, 4 or 8. The LR image joins the latent on its grid: at x2 by its 2x2 blocks, at x8 repeated.
        width, mult, blocks, swin_width, heads, window, built: of `SwinUNet`.
        steps, kappa: of the exponential schedule.

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
    ) -> None:
        if scale not in (2, 4, 8):
            raise UserError(f"no diffusion at x{scale}", where="backbone.scale", fix="allowed: 2, 4, 8")
        super().__init__(channels, scale, exponential(steps, kappa))
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
        condition = channels * (4 if scale == 2 else 1)
        self.denoiser = SwinUNet(
            FACTOR**2 * channels, condition, width, mult, blocks, swin_width, heads, window, built
        )
        last = self.denoiser.out[2]
        assert isinstance(last, nn.Conv2d)
        starts_at_zero(last)

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
        """The clean latent, as a correction of zy."""
        condition = 2 * lr - 1
        if self.scale == 2:
            condition = F.pixel_unshuffle(condition, 2)
        elif self.scale == 8:
            condition = F.interpolate(condition, scale_factor=2.0)
        return zy + self.denoiser((z * self.schedule.input_scale(step)).to(z), step, condition)


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
