"""ESSAformer: hyperspectral SR by attention of linear cost over spectra, with weights shared by its refinements.

Source: Zhang et al., "ESSAformer: Efficient Transformer for Hyperspectral Image Super-resolution", ICCV 2023. The
forward pass and the names of the parameters are those of the published code, which compares spectra by products of
their squares.

On a CPU maps stay in channels_last memory, so that tokens are a view of them, and 1x1 convolutions are matrix products.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sr_lab.backbones.image_to_image import ImageToImage, Residual, doublings, starts_at_zero
from sr_lab.backbones.ops.conv import Conv3x3
from sr_lab.errors import UserError

Attention = Literal["published", "signed", "none"]

SLOPE = 0.2
ENERGY = 1e-7  # added to the energy of a token's key
# a token's query is divided by its energy + 1e-7, then by its norm but by no less than 1e-12: in one step
SMALLEST_NORM = 1e-19


class SpectralAttention(nn.Module):
    """Attention between all pixels through a c x c product: time and memory are linear in their number.

    Args:
        width: c, channels of a token.
        form: how tokens are compared, after the mean over channels is taken from queries and keys. `published`: the
            product of their squares, normalised, which is blind to sign. `signed`: their correlation coefficient, and
            the values are averaged over all tokens with these weights. `none`: not at all, for ablations.
    """

    def __init__(self, width: int, form: Attention = "published") -> None:
        super().__init__()
        self.form = form
        self.lnqkv = nn.Linear(width, 3 * width)
        self.ln = nn.Linear(width, width)

    def forward(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """Values, plus what the other tokens add to them."""
        width = tokens.shape[2]
        weight, bias = self.lnqkv.weight, self.lnqkv.bias
        if self.form == "none":
            return self.ln(F.linear(tokens, weight[2 * width :], bias[2 * width :]))
        # queries and keys come out centred over channels when the weights are
        weight, bias = weight.unflatten(0, (3, width)), bias.unflatten(0, (3, width))
        weight = torch.cat([weight[:2] - weight[:2].mean(1, keepdim=True), weight[2:]])
        bias = torch.cat([bias[:2] - bias[:2].mean(1, keepdim=True), bias[2:]])
        mixed = F.linear(tokens, weight.flatten(0, 1), bias.flatten())
        q, k, v = mixed.split(width, dim=2)
        return self.ln((_squares if self.form == "published" else _correlations)(q, k, v))


def _squares(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Values plus Q (K^T v) / sqrt(n), with squared and normalised queries and keys."""
    q, k = _exact(q).square(), _exact(k).square()
    k = k / (k.sum(2, keepdim=True) + ENERGY)
    over_tokens = torch.linalg.vector_norm(k, dim=1).clamp_min(1e-12)
    context = (k.mT.to(v) @ v) / over_tokens[:, :, None]
    over_channels = torch.linalg.vector_norm(q, dim=2, keepdim=True).clamp_min(SMALLEST_NORM)
    return torch.baddbmm(v, (q / (over_channels * q.shape[1] ** 0.5)).to(v), context.to(v))


def _correlations(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Values plus the mean over all tokens of their correlation with q times their values."""
    q, k = F.normalize(_exact(q), dim=2), F.normalize(_exact(k), dim=2)
    return torch.baddbmm(v, (q / q.shape[1]).to(v), k.mT.to(v) @ v)


def _exact(x: Tensor) -> Tensor:
    """At least float32, since squares and their sums follow."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class _Enhancer(nn.Module):
    """Norm, attention, then three convolutions on its result and the input, plus the input.

    Args:
        width: channels.
        stack: name of the convolutions in a state dict.
        form: see `SpectralAttention`.
        dropout: share of channels dropped in training.
    """

    def __init__(self, width: int, stack: str, form: Attention, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attn = SpectralAttention(width, form)
        self.drop = nn.Dropout2d(dropout)
        layers = nn.Sequential(
            nn.Conv2d(2 * width, 2 * width, 1),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Dropout2d(dropout),
            Conv3x3(2 * width, 2 * width),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Dropout2d(dropout),
            nn.Conv2d(2 * width, width, 1),
        )
        self.stack = stack
        self.add_module(stack, layers)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        layers = self.get_submodule(self.stack)
        assert isinstance(layers, nn.Sequential)
        tokens = _tokens(x)
        attended = self.attn(self.norm(tokens))
        if self.drop.training and self.drop.p:
            attended = _tokens(self.drop(_image(attended, x)))
        y = _image(_joined(attended, tokens, layers[0]), x)  # pyright: ignore[reportArgumentType]
        for layer in list(layers)[1:-1]:
            y = layer(y)
        last = layers[-1]
        y = F.linear(_tokens(y), last.weight[:, :, 0, 0], last.bias)  # pyright: ignore
        return _image(y.add_(tokens), x)


def _tokens(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n c"]:
    """Pixels in row-major order: a view of channels_last memory."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _image(tokens: Float[Tensor, "b n c"], like: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c h w"]:
    """The tokens in the places of an image's pixels, again a view."""
    return tokens.unflatten(1, like.shape[2:]).permute(0, 3, 1, 2)


def _joined(
    attended: Float[Tensor, "b n c"], tokens: Float[Tensor, "b n c"], conv: nn.Conv2d
) -> Float[Tensor, "b n c2"]:
    """A 1x1 convolution of two maps side by side, without putting them there."""
    width = tokens.shape[2]
    weight = conv.weight[:, :, 0, 0]
    y = F.linear(attended, weight[:, :width], conv.bias)
    if torch.is_autocast_enabled(tokens.device.type):  # which leaves in-place operations alone
        return y + F.linear(tokens, weight[:, width:])
    y.flatten(0, 1).addmm_(tokens.flatten(0, 1), weight[:, width:].T)
    return y


class _UpDown(nn.Module):
    """Three passes up and two down again, each with what the one before left; every part is used several times."""

    def __init__(self, width: int, scale: int, form: Attention, dropout: float) -> None:
        super().__init__()
        up: list[nn.Module] = []
        down: list[nn.Module] = []
        for factor in doublings(scale):
            up += [Conv3x3(width, width * factor**2), nn.PixelShuffle(factor)]
            down += [Conv3x3(width, width // factor**2), nn.PixelUnshuffle(factor)]
        self.convup = _Enhancer(width, "convu", form, dropout)
        self.convdown = _Enhancer(width, "convd", form, dropout)
        self.convupsample = nn.Sequential(*up)
        self.convdownsample = nn.Sequential(*down)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c hs ws"]:
        low = features
        high = self.convup(self.convupsample(low))
        for _ in range(2):
            low = self.convdown(self.convdownsample(high) + low)
            high = self.convup(self.convupsample(low) + high)
        return high


class ESSAformer(ImageToImage):
    """One convolution in, the up-and-down block, one convolution out.

    Attention spans the image it is given, so that tiles differ from the whole.

    Args:
        channels: bands in and out.
        width: channels inside; a multiple of 4, at x3 of 9. Time grows with its square.
        scale: s.
        attention: see `SpectralAttention`.
        dropout: share of channels dropped in training, three times in every enhancer; 0.2 as published.
        residual: `none` as published; `bicubic` predicts what MATLAB's bicubic lacks, and starts at nothing.
        precision: `bfloat16` computes under autocast, for machines that have its instructions; the result is float32.

    Raises:
        UserError: the scale is not served, or the width does not fit it.
    """

    kind = "essaformer"
    scales = (1, 2, 3, 4, 8)

    def __init__(
        self,
        channels: int,
        width: int = 256,
        scale: int = 4,
        attention: Attention = "published",
        dropout: float = 0.0,
        residual: Residual = "none",
        precision: Literal["float32", "bfloat16"] = "float32",
    ) -> None:
        super().__init__()
        _check(width, scale)
        self.channels, self.scale, self.precision = channels, scale, precision
        self.residual: Residual = residual
        self.architecture = {
            "kind": self.kind,
            "channels": channels,
            "width": width,
            "scale": scale,
            "attention": attention,
            "dropout": dropout,
            "residual": residual,
        }
        self.conv_first = Conv3x3(channels, width)
        self.blockup = _UpDown(width, scale, attention, dropout)
        self.conv_last = Conv3x3(width, channels)
        if residual == "bicubic":
            starts_at_zero(self.conv_last)
        self.to(memory_format=torch.channels_last)

    def forward(self, lr: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c hs ws"]:
        """Enlarge images of any size, in the scene's normalised range; the result is not clipped."""
        if self.precision == "float32":
            return self.over_bicubic(self.residual, self._correction(lr), lr)
        with torch.autocast(lr.device.type, torch.bfloat16):
            correction = self._correction(lr)
        return self.over_bicubic(self.residual, correction.to(lr), lr)

    def _correction(self, lr: Tensor) -> Tensor:
        x = self.conv_first(lr.contiguous(memory_format=torch.channels_last))
        return self.conv_last(self.blockup(x))


def _check(width: int, scale: int) -> None:
    if scale not in ESSAformer.scales:
        raise UserError(
            f"ESSAformer does not serve scale x{scale}",
            where="backbone.scale",
            fix=f"allowed: {', '.join(map(str, ESSAformer.scales))}",
        )
    step = 1 if scale == 1 else doublings(scale)[0] ** 2
    if width < step or width % step:
        nearest = max(round(width / step), 1) * step
        raise UserError(
            f"width {width} cannot be folded into {step} parts, as x{scale} asks",
            where="backbone.width",
            fix=f"use a multiple of {step}; nearest {nearest}",
        )
