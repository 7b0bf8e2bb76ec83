"""ResShift, SinSR and DifIISR at their published sizes: a Swin U-Net on the latents of a VQ autoencoder."""

from collections.abc import Mapping

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from sr_lab.backbones.diffusion_network import DiffusionNetwork
from sr_lab.backbones.swin_unet import SwinUNet
from sr_lab.backbones.vq_autoencoder import VQAutoencoder
from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.resample import at_anchor
from sr_lab.diffusion.residual_shift import exponential
from sr_lab.errors import UserError
from sr_lab.weights.store import load_weights, misfit

COLOURS = 3
WRAPPED = ("module.", "_orig_mod.")  # by parallel training and by torch.compile


class PublishedDiffusion(DiffusionNetwork):
    """x4 for colour, or for one channel that is repeated; the U-Net predicts the clean latent itself.

    Args:
        channels: 1 or 3, of images.
        denoiser, autoencoder: None: of the published sizes.
        steps, kappa: of the schedule.

    Raises:
        UserError: another number of channels.

    Source: ResShift (Yue et al., NeurIPS 2023), whose two checkpoints serve SinSR and DifIISR (CVPR 2025) as well.
    """

    def __init__(
        self,
        channels: int = 1,
        denoiser: SwinUNet | None = None,
        autoencoder: VQAutoencoder | None = None,
        steps: int = 15,
        kappa: float = 2.0,
    ) -> None:
        if channels not in (1, COLOURS):
            raise UserError(
                f"the published networks take grey or colour, not {channels} channels",
                where="backbone.channels",
                fix="use 1 or 3",
            )
        super().__init__(channels, 4, exponential(steps, kappa))
        self.denoiser = denoiser or SwinUNet()
        self.autoencoder = autoencoder or VQAutoencoder()

    def encode(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b z hf wf"]:
        """Images in [0, 1] to latents, which are not quantised."""
        return self.autoencoder.encode(2 * image.expand(-1, COLOURS, -1, -1) - 1)

    def decode(self, z: Float[Tensor, "b z hf wf"]) -> Float[Tensor, "b c h w"]:
        """Quantise, and back to images; of one channel the mean of the three."""
        image = self.autoencoder.decode(z) / 2 + 0.5
        return image if self.channels == COLOURS else image.mean(1, keepdim=True)

    def forward(
        self,
        z: Float[Tensor, "b z hf wf"],
        step: Int64[Tensor, " b"],
        zy: Float[Tensor, "b z hf wf"],
        lr: Float[Tensor, "b c h w"],
    ) -> Float[Tensor, "b z hf wf"]:
        """The clean latent."""
        scaled = (z * self.schedule.input_scale(step)).to(z)
        return self.denoiser(scaled, step, 2 * lr.expand(-1, COLOURS, -1, -1) - 1)

    def enlarge(
        self, lr: Float[Tensor, "b c h w"], anchor: Anchor = "block_center", phase: int = 0
    ) -> Float[Tensor, "b c hs ws"]:
        """Bicubic as torch does it, on the HR grid of a degradation: what the chain starts from."""
        enlarged = F.interpolate(lr, scale_factor=float(self.scale), mode="bicubic")
        return at_anchor(enlarged, self.scale, anchor, phase)


def load_published(unet: str, autoencoder: str, channels: int = 1) -> PublishedDiffusion:
    """Both published checkpoints, loaded strictly.

    Args:
        unet: of ResShift, SinSR or DifIISR: name in `sr-lab weights list`, or a .pth file.
        autoencoder: `autoencoder_vq_f4`, likewise.
        channels: of images.

    Raises:
        UserError: a state dict with other keys or shapes.
    """
    net = PublishedDiffusion(channels)
    for part, weights in ((net.denoiser, unet), (net.autoencoder, autoencoder)):
        try:
            part.load_state_dict(unwrapped(load_weights(weights).state), strict=True)
        except RuntimeError as error:
            raise UserError(
                f"these weights do not fit the published network ({misfit(error)})",
                where=weights,
                fix="backbone.unet takes the diffusion model's checkpoint, backbone.autoencoder autoencoder_vq_f4",
            ) from error
    return net.eval()


def unwrapped(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without the prefixes that wrappers of a module leave on its keys."""
    bare = {}
    for key, value in state.items():
        while key.startswith(WRAPPED):
            key = key.split(".", 1)[1]
        bare[key] = value
    return bare
