"""KernelGAN's discriminator: does each 7x7 patch come from the image itself?"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

PATCH = 7
WIDTH = 64
HIDDEN = 5


class SpectralConv(nn.Module):
    """Convolution by weights over their largest singular value, which one power iteration a call follows.

    Weights start as `torch.nn.Conv2d`'s, biases at 0.

    Source: Miyato et al., Spectral normalization for GANs, ICLR 2018, algorithm 1.
    """

    left: Tensor

    def __init__(self, channels_in: int, channels_out: int, side: int, generator: torch.Generator) -> None:
        super().__init__()
        bound = (channels_in * side**2) ** -0.5
        weight = torch.empty(channels_out, channels_in, side, side)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.register_buffer("left", F.normalize(torch.randn(channels_out, generator=generator), dim=0))

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h2 w2"]:
        """Convolve without padding."""
        matrix = self.weight.flatten(1)
        with torch.no_grad():
            right = F.normalize(self.left @ matrix, dim=0)
            self.left = F.normalize(matrix @ right, dim=0)
        return F.conv2d(x, self.weight / (self.left @ matrix @ right), self.bias)


class PatchDiscriminator(nn.Module):
    """7x7 convolution, then a pixelwise network; one probability per patch.

    The released code's Xavier start never reaches these weights: it fills the normalised copies, which the next
    call computes anew. So they start as torch's own here, as in what was released.

    Args:
        channels: of the image.
        generator: source of the initial weights.

    Source: Bell-Kligler et al., NeurIPS 2019, as in FKP's repository.
    """

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        layers: list[nn.Module] = [SpectralConv(channels, WIDTH, PATCH, generator)]
        for _ in range(HIDDEN):
            norm = nn.BatchNorm2d(WIDTH, track_running_stats=False)
            nn.init.normal_(norm.weight, 1.0, 0.02, generator=generator)
            layers += [SpectralConv(WIDTH, WIDTH, 1, generator), norm, nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, SpectralConv(WIDTH, 1, 1, generator), nn.Sigmoid())

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h2 w2"]:
        """Probability that a patch is real; image in [-1, 1]."""
        return self.layers(image)
