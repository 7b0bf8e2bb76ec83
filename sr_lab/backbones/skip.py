"""The untrained "skip" generator of deep image priors, for several images at once as independent networks.

Five levels of strided convolutions, with non-local blocks in the deep ones, bilinear doubling on the way
up and thin skip branches: Ulyanov et al., CVPR 2018, in the variant of DIP-FKP, Liang et al., CVPR 2021.
Batch norm runs in training mode, so that an image sees only its own statistics.

On a CPU each image runs alone through cheaper forms of the same arithmetic (`sr_lab.backbones.ops`);
elsewhere all images share grouped convolutions. Biases that a batch norm cancels stay parameters, so that
weights are interchangeable, but take no part in the arithmetic and get no gradient.
"""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sr_lab.backbones.ops.threads import on_one_thread, waking_is_slow
from sr_lab.backbones.ops.upsampled_conv import upsampled_norm_conv3x3
from sr_lab.backbones.ops.winograd import reflect_conv3x3
from sr_lab.errors import UserError

SLOPE = 0.2
EPS = 1e-5
MIN_SIDE = 64
# below these sides the plain forms are quicker
WINOGRAD_SIDE = 32
WINOGRAD_CHANNELS = 64
# below this area a level is done before a sleeping thread wakes
ONE_THREAD_PIXELS = 32 * 32
UPSAMPLED_CONV_SIDE = 32


class Conv(nn.Module):
    """Weights of a convolution, drawn as `torch.nn.Conv2d` draws them; input channels last in memory."""

    def __init__(self, channels_in: int, channels_out: int, size: int, generator: torch.Generator) -> None:
        super().__init__()
        bound = (channels_in * size * size) ** -0.5
        weight = torch.empty(channels_out, channels_in, size, size).uniform_(
            -bound, bound, generator=generator
        )
        bias = torch.empty(channels_out).uniform_(-bound, bound, generator=generator)
        self.weight = nn.Parameter(weight.permute(0, 2, 3, 1).contiguous())
        self.bias = nn.Parameter(bias)


class Norm(nn.Module):
    """Scale and shift of a batch norm."""

    def __init__(self, channels: int, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), scale))
        self.bias = nn.Parameter(torch.zeros(channels))


class ConvNorm(nn.Module):
    """Weights of a convolution and the batch norm after it."""

    def __init__(self, channels_in: int, channels_out: int, size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.conv = Conv(channels_in, channels_out, size, generator)
        self.norm = Norm(channels_out)


class NonLocal(nn.Module):
    """Weights of a dot-product non-local block, the identity at first (its batch norm starts at zero)."""

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        half = channels // 2
        self.g = Conv(channels, half, 1, generator)
        self.theta = Conv(channels, half, 1, generator)
        self.phi = Conv(channels, half, 1, generator)
        self.out = Conv(half, channels, 1, generator)
        self.norm = Norm(channels, scale=0.0)


class Level(nn.Module):
    """Weights of one level; `inner` is the next."""

    inner: "Level | None"
    non_local: NonLocal | None

    def __init__(
        self,
        channels_in: int,
        width: int,
        skip: int,
        levels_left: int,
        non_local_in: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.skip = ConvNorm(channels_in, skip, 1, generator)
        self.down = ConvNorm(channels_in, width, 3, generator)
        self.non_local = NonLocal(width, generator) if non_local_in <= 0 else None
        self.deep = ConvNorm(width, width, 3, generator)
        deeper = levels_left - 1
        self.inner = Level(width, width, skip, deeper, non_local_in - 1, generator) if deeper else None
        self.join_norm = Norm(skip + width)
        self.join = ConvNorm(skip + width, width, 3, generator)
        self.mix = ConvNorm(width, width, 1, generator)


class Generator(nn.Module):
    """Weights of the whole network for one image."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        width: int,
        skip: int,
        levels: int,
        non_local_from: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.body = Level(channels_in, width, skip, levels, non_local_from - 1, generator)
        self.head = Conv(width, channels_out, 1, generator)


# From here on a list holds the same layer of several images, and x is (1, images * channels, height, width).


def _stack(layers: Sequence[nn.Module], name: str) -> Tensor:
    tensors = [getattr(layer, name) for layer in layers]
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


def _cheaper_forms(images: int, x: Tensor) -> bool:
    return images == 1 and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def _conv1x1(layers: Sequence[Conv], x: Tensor, bias: bool = False) -> Tensor:
    weight, shift = _stack(layers, "weight"), _stack(layers, "bias") if bias else None
    if _cheaper_forms(len(layers), x):
        return F.linear(x.permute(0, 2, 3, 1), weight[:, 0, 0], shift).permute(0, 3, 1, 2)
    return F.conv2d(x, weight.permute(0, 3, 1, 2), shift, groups=len(layers))


def _conv3x3(x: Tensor, weight: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
    pays = stride == 1 and min(x.shape[2:]) >= WINOGRAD_SIDE and x.shape[1] >= WINOGRAD_CHANNELS
    if pays and _cheaper_forms(groups, x):
        return reflect_conv3x3(x, weight)
    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
    return F.conv2d(padded, weight.permute(0, 3, 1, 2), stride=stride, groups=groups)


def _norm(layers: Sequence[Norm], x: Tensor, bias: bool = True) -> Tensor:
    shift = _stack(layers, "bias") if bias else None
    return F.batch_norm(x, None, None, _stack(layers, "weight"), shift, training=True, eps=EPS)


def _norm_act(layers: Sequence[Norm], x: Tensor) -> Tensor:
    return F.leaky_relu(_norm(layers, x), SLOPE, inplace=True)


def _conv_norm_act(layers: Sequence[ConvNorm], x: Tensor, stride: int = 1) -> Tensor:
    convs, norms = [layer.conv for layer in layers], [layer.norm for layer in layers]
    if convs[0].weight.shape[1] == 1:
        return _norm_act(norms, _conv1x1(convs, x))
    return _norm_act(norms, _conv3x3(x, _stack(convs, "weight"), stride, len(layers)))


def _non_local(layers: Sequence[NonLocal], x: Tensor) -> Tensor:
    images, (height, width) = len(layers), x.shape[2:]

    def positions(y: Tensor) -> Tensor:
        return y.reshape(images, -1, y.shape[2] * y.shape[3]).transpose(1, 2)

    theta = positions(_conv1x1([layer.theta for layer in layers], x, bias=True))
    phi = positions(F.max_pool2d(_conv1x1([layer.phi for layer in layers], x, bias=True), 2))
    g = positions(F.max_pool2d(_conv1x1([layer.g for layer in layers], x, bias=True), 2))
    # there is no softmax, so the products may be taken in the order that never forms the attention map
    y = theta @ (phi.transpose(1, 2) @ g / phi.shape[1])
    y = y.transpose(1, 2).reshape(1, -1, height, width)
    return x + _norm([layer.norm for layer in layers], _conv1x1([layer.out for layer in layers], y))


def _center_crop(x: Tensor, height: int, width: int) -> Tensor:
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


def _join(layers: Sequence[Level], skip: Tensor, deep: Tensor) -> Tensor:
    """Concatenate skip and doubled deep features, normalise, and convolve: up to a constant per channel."""
    images, norms = len(layers), [layer.join_norm for layer in layers]
    weight = _stack([layer.join.conv for layer in layers], "weight")
    height, width = skip.shape[2:]
    doubled = (2 * deep.shape[2], 2 * deep.shape[3]) == (height, width)
    if doubled and _cheaper_forms(images, skip) and min(height, width) >= UPSAMPLED_CONV_SIDE:
        channels = [skip.shape[1], deep.shape[1]]
        weight_skip, weight_deep = weight.split(channels, dim=3)
        scale_skip, scale_deep = norms[0].weight.split(channels)
        skip = F.batch_norm(skip, None, None, scale_skip, training=True, eps=EPS)
        return upsampled_norm_conv3x3(deep, scale_deep, weight_deep, EPS) + _conv3x3(skip, weight_skip)
    deep = F.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=False)
    height, width = min(height, deep.shape[2]), min(width, deep.shape[3])
    parts = [_center_crop(x, height, width) for x in (skip, deep)]
    if images == 1:  # a reshape would copy out of channels_last memory
        joined = torch.cat(parts, dim=1)
    else:
        parts = [part.reshape(images, -1, height, width) for part in parts]
        joined = torch.cat(parts, dim=1).reshape(1, -1, height, width)
    return _conv3x3(_norm(norms, joined, bias=False), weight, groups=images)


def _level(layers: Sequence[Level], x: Tensor) -> Tensor:
    skip = _conv_norm_act([layer.skip for layer in layers], x)
    deep = _conv_norm_act([layer.down for layer in layers], x, stride=2)
    if layers[0].non_local is not None:
        deep = _non_local([layer.non_local for layer in layers if layer.non_local is not None], deep)
    deep = _conv_norm_act([layer.deep for layer in layers], deep)
    inner = [layer.inner for layer in layers if layer.inner is not None]
    small = deep.shape[2] * deep.shape[3] <= ONE_THREAD_PIXELS
    if inner and small and _cheaper_forms(len(layers), x) and waking_is_slow():
        deep = on_one_thread(partial(_level, inner), deep)
    elif inner:
        deep = _level(inner, deep)
    joined = _norm_act([layer.join.norm for layer in layers], _join(layers, skip, deep))
    return _conv_norm_act([layer.mix for layer in layers], joined)


def _generate(generators: Sequence[Generator], z: Tensor) -> Tensor:
    features = _level([generator.body for generator in generators], z)
    return torch.sigmoid(_conv1x1([generator.head for generator in generators], features, bias=True))


class SkipNet(nn.Module):
    """Untrained generators, one for each image of a batch, that share nothing.

    2,359,939 parameters for each image at the defaults. Any size with sides of at least 2 ** (levels + 1)
    = 64 px; odd sizes are joined by cropping about the centre.

    Args:
        images: how many images, and so networks.
        channels_in: channels of the noise input.
        channels_out: channels of the restored image.
        width: features at every level.
        skip: features of a skip branch.
        levels: how often the side is halved.
        non_local_from: first level, counted from 1, with a non-local block.
        generator: source of the initial weights; one for each image, or one that serves them in turn.

    Raises:
        UserError: the number of generators is not that of the images.
    """

    def __init__(
        self,
        images: int = 1,
        channels_in: int = 3,
        channels_out: int = 3,
        width: int = 128,
        skip: int = 16,
        levels: int = 5,
        non_local_from: int = 3,
        *,
        generator: torch.Generator | Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        sources = [generator] * images if isinstance(generator, torch.Generator) else list(generator)
        if len(sources) != images:
            raise UserError(
                f"{len(sources)} generators for {images} images",
                where="SkipNet",
                fix="Pass one generator for each image",
            )
        shape = (channels_in, channels_out, width, skip, levels, non_local_from)
        self.generators = nn.ModuleList(Generator(*shape, source) for source in sources)
        self.channels_in = channels_in
        self.min_side = 2 ** (levels + 1)

    def forward(self, z: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o h w"]:
        """Restored images in (0, 1) from noise inputs.

        Raises:
            UserError: a side is too short, or the batch is not one input for each network.
        """
        images, _, height, width = z.shape
        if min(height, width) < self.min_side:
            raise UserError(
                f"an image of {height} x {width} px is too small for the skip network",
                where="SkipNet",
                fix=f"Use sides of at least {self.min_side} px, or fewer levels",
            )
        if images != len(self.generators):
            raise UserError(
                f"{images} noise inputs for {len(self.generators)} networks",
                where="SkipNet",
                fix="Build the network with as many images as the batch has",
            )
        generators = [module for module in self.generators if isinstance(module, Generator)]
        if z.device.type != "cpu":
            return _generate(generators, z.reshape(1, -1, height, width)).reshape(images, -1, height, width)
        z = z.contiguous(memory_format=torch.channels_last)
        return torch.cat([_generate([net], z[i : i + 1]) for i, net in enumerate(generators)])


def noise_input(
    generators: Sequence[torch.Generator], channels: int, height: int, width: int, amplitude: float = 0.1
) -> Float[Tensor, "b c h w"]:
    """Fixed network inputs, one for each generator, uniform in [0, amplitude)."""
    noise = [torch.rand(1, channels, height, width, generator=generator) for generator in generators]
    return torch.cat(noise) * amplitude
