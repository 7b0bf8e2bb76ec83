"""LSRGAN: a light generator for radar images, and the discriminator it is trained against.

The paper (Jiang et al., Remote Sensing 16(10) 1788, 2024) names the parts: depthwise separable convolutions with SELU
in residual modules, coordinate attention, a GAN. Widths, the place of the attention and the losses are ours.
"""

from itertools import zip_longest
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from sr_lab.backbones.image_to_image import ImageToImage, doublings, starts_at_zero
from sr_lab.degradation.factors import Factors, enlarged_sides, per_axis
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.io.complex import as_complex, intensity, is_complex
from sr_lab.scenes.sar.decibels import Decibels

Reads = Literal["amplitude", "parts"]


class LSRGAN(ImageToImage):
    """From an LR radar image to the amplitude of its SR image, by way of a fixed range of decibels.

    Args:
        scale: s; 1 leaves the grid as it is, as for despeckling.
        width: channels of the trunk.
        blocks: lightweight residual modules.
        attention: coordinate attention in every module.
        low, high: dB over the unit's intensity that the network sees as 0 and 1; what is below `low` is seen as `low`.
        reads: `amplitude`: one pass on the amplitude of a detected or complex image. `parts`: one pass on the real and
            one on the imaginary part of a complex image, whose mean intensity is given: what self-supervision trains.
        axes: factors of rows (azimuth) and columns (range), the larger of which is s; null: s of both.

    Attributes:
        gain: nats added to the logarithm of intensity, measured at the end of training (`FitRadar`).

    Source: LSRGAN's abstract; SELU (Klambauer et al., NeurIPS 2017), coordinate attention (Hou et al., CVPR 2021).
    """

    kind = "lsrgan"
    scales = (1, 2, 3, 4, 8)
    channels = None
    gain: Float[Tensor, ""]

    def __init__(
        self,
        scale: int = 2,
        width: int = 64,
        blocks: int = 8,
        attention: bool = True,
        low: float | int = -40,
        high: float | int = 25,
        reads: Reads = "amplitude",
        axes: list[int] | None = None,
    ) -> None:
        super().__init__()
        self._factors = per_axis(scale, axes, "backbone.axes")
        for factor in self._factors:
            if factor not in self.scales:
                raise UserError(
                    f"LSRGAN does not serve scale x{factor}",
                    where="backbone.scale" if axes is None else "backbone.axes",
                    fix=f"allowed: {', '.join(map(str, self.scales))}",
                )
        self.scale, self.decibels, self.reads = scale, Decibels(low, high), reads
        self.architecture = {
            "kind": self.kind,
            "scale": scale,
            "width": width,
            "blocks": blocks,
            "attention": attention,
            "low": low,
            "high": high,
            "reads": reads,
            "axes": axes,
        }
        self.head = nn.Sequential(nn.Conv2d(1, width, 9, padding=4), nn.SELU(inplace=True))
        self.trunk = nn.Sequential(*(ResidualModule(width, attention) for _ in range(blocks)))
        self.post = separable(width)
        stages: list[nn.Module] = []
        for down, across in zip_longest(*map(doublings, self.factors), fillvalue=1):
            stages += [
                nn.Conv2d(width, width * down * across, 3, padding=1),
                PixelShuffle(down, across),
                nn.SELU(),
            ]
        self.upsample = nn.Sequential(*stages)
        self.tail = nn.Conv2d(width, 1, 9, padding=4)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):  # what keeps SELU's activations at zero mean and unit variance
                nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        starts_at_zero(self.tail)
        self.register_buffer("gain", torch.zeros(()))
        self.to(memory_format=torch.channels_last)

    @property
    def factors(self) -> Factors:
        """By which rows and columns are enlarged."""
        return self._factors

    def enlarge(self, grey: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 hs ws"]:
        """Of normalised decibels: bicubic, and what the network adds."""
        x = self.head(grey.contiguous(memory_format=torch.channels_last))
        correction = self.tail(self.upsample(self.post(self.trunk(x)) + x))
        # half precision holds corrections, not images
        with torch.autocast(grey.device.type, enabled=False):
            return correction.to(grey) + (
                grey if self.scale == 1 else imresize(grey, enlarged_sides(grey, self.factors))
            )

    def of_power(self, power: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 hs ws"]:
        """From intensity to the natural logarithm of the intensity: what losses compare."""
        return self.decibels.log_intensity(self.enlarge(self.decibels.forward(power))) + self.gain

    def forward(self, lr: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 hs ws"]:
        """The amplitude of images of any size.

        Raises:
            UserError: this network reads real and imaginary parts, and the image is detected.
        """
        if self.reads == "amplitude":
            return (self.of_power(intensity(lr)) / 2).exp()
        if not is_complex(lr):
            raise UserError(
                "this network reads the real and the imaginary part, and the image is detected",
                where="backbone",
                fix="give an SLC, or weights trained on amplitudes (experiment=train_sar_lsrgan)",
            )
        parts = as_complex(lr)
        return (
            torch.stack(
                [self.of_power(2 * part.square()[:, None]).exp() for part in (parts.real, parts.imag)]
            )
            .mean(0)
            .sqrt()
        )


class ResidualModule(nn.Module):
    """x + 0.2 CA(DSConv -> SELU -> DSConv): no batch norm, which would shift the radiometry.

    Args:
        width: channels.
        attention: with coordinate attention.
    """

    def __init__(self, width: int, attention: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(separable(width), nn.SELU(inplace=True), separable(width))
        self.attention = CoordinateAttention(width) if attention else nn.Identity()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Correct."""
        return torch.add(x, self.attention(self.body(x)), alpha=0.2)


class CoordinateAttention(nn.Module):
    """Every channel weighted by where it is in azimuth and where in range.

    Args:
        width: channels.

    Source: Hou et al., CVPR 2021, without batch norm and with SELU.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = max(8, width // 32)
        self.squeeze = nn.Sequential(nn.Conv2d(width, inner, 1), nn.SELU(inplace=True))
        self.down, self.across = nn.Conv2d(inner, width, 1), nn.Conv2d(inner, width, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Weigh."""
        rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True).mT
        down, across = self.squeeze(torch.cat([rows, columns], 2)).split([x.shape[2], x.shape[3]], 2)
        return x * torch.sigmoid(self.down(down)) * torch.sigmoid(self.across(across.mT))


class PixelShuffle(nn.Module):
    """Channels to pixels, by two factors; `nn.PixelShuffle` has one.

    Args:
        down, across: of rows and of columns.
    """

    def __init__(self, down: int, across: int) -> None:
        super().__init__()
        self.down, self.across = down, across

    def forward(self, x: Float[Tensor, "b cs h w"]) -> Float[Tensor, "b c hs ws"]:
        """Spread."""
        if self.down == self.across:
            return nn.functional.pixel_shuffle(x, self.down)
        parts = x.unflatten(1, (-1, self.down, self.across))
        return parts.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)


def separable(width: int) -> nn.Sequential:
    """A depthwise 3x3 and a pointwise convolution: 1/width + 1/9 of the cost of an ordinary one."""
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1, groups=width), nn.Conv2d(width, width, 1))


class Discriminator(nn.Module):
    """SRGAN's eight convolutions under spectral norm in place of batch norm, one logit an image.

    Args:
        width: channels of the first; the last has eight times as many, 64 and 512 in SRGAN.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for number in range(8):
            wider = width * 2 ** (number // 2)
            layer = nn.Conv2d(channels, wider, 3, stride=1 + number % 2, padding=1)
            layers += [spectral_norm(layer), nn.LeakyReLU(0.2, inplace=True)]
            channels = wider
        self.features = nn.Sequential(*layers)
        self.logit = nn.Linear(channels, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, grey: Float[Tensor, "b 1 h w"]) -> Float[Tensor, " b"]:
        """How real patches of normalised decibels look."""
        found = self.features(grey.contiguous(memory_format=torch.channels_last))
        return self.logit(found.mean((2, 3)))[:, 0]
