"""KernelGAN-FKP's critic, and the gradient penalty that keeps it smooth."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

WIDTH = 32
LAYERS = 5


class Critic(nn.Module):
    """Five 3x3 convolutions without padding, 11x11 pixels seen; 29,185 parameters for three channels.

    Args:
        channels: of the image.
        generator: source of the initial weights: N(0, 0.02), batch norms N(1, 0.02), biases as torch's own.

    Source: Liang et al., CVPR 2021, KernelGAN-FKP as released.
    """

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for into in (channels, *[WIDTH] * (LAYERS - 2)):
            norm = nn.BatchNorm2d(WIDTH, track_running_stats=False)
            nn.init.normal_(norm.weight, 1.0, 0.02, generator=generator)
            layers += [_conv(into, WIDTH, generator), norm, nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, _conv(WIDTH, 1, generator))

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h2 w2"]:
        """How real each patch looks; image in [0, 1]."""
        return self.layers(image * 2 - 1)


def gradient_penalty(
    critic: nn.Module, real: Float[Tensor, "b c h w"], fake: Float[Tensor, "b c h w"], mix: float
) -> Float[Tensor, ""]:
    """Mean of (|gradient| - 1)^2 at mix * real + (1 - mix) * fake, the norm taken over the channels of a pixel.

    Source: Gulrajani et al., NeurIPS 2017, whose norm runs over the whole image; over channels as in FKP's code.
    """
    between = (mix * real + (1 - mix) * fake).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (gradient.norm(dim=1) - 1).square().mean()


def _conv(channels_in: int, channels_out: int, generator: torch.Generator) -> nn.Conv2d:
    # made without values, so that no global random numbers are drawn
    conv = nn.Conv2d(channels_in, channels_out, 3, device="meta").to_empty(device="cpu")
    bound = (channels_in * 9) ** -0.5
    nn.init.normal_(conv.weight, 0.0, 0.02, generator=generator)
    assert conv.bias is not None
    nn.init.uniform_(conv.bias, -bound, bound, generator=generator)
    return conv
