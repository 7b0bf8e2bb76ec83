"""A 3x3 convolution of a bilinearly doubled image for a quarter of the multiplications, exactly.

Doubling is zero-stuffing followed by the fixed filter f = [1, 3, 3, 1] / 4 on each axis, and filters
commute. So convolve the zero-stuffed image x, a stride-2 transposed convolution with 9 products for each
low-resolution pixel instead of 36, and run f over the result t. On one axis, with x_i at position 2i and
the weights w:

    t[m] = w0 x[m-1] + w1 x[m] + w2 x[m+1],    y[n] = (t[n-2] + 3 t[n-1] + 3 t[n] + t[n+1]) / 4.

Borders: doubling repeats the edge pixel, then the convolution reflects about it. Extending x
symmetrically by two pixels (.., x_1, x_0 | x_0, x_1, ..) and replacing t[-2] by t[-2] + t[-3] - t[-1],
that is by w1 x_0 + w0 (x_1 - x_0), gives that very border; likewise at the other end, and on both axes in
turn.

Batch norm between the two only scales each channel, up to a constant that the batch norm after the
convolution removes; the variance of the doubled image is a quadratic form of x.
"""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

_UPSAMPLE = (1 / 4, 3 / 4, 3 / 4, 1 / 4)
# half of U'U for the doubling U of one axis, with symmetric borders
_GRAM = (3 / 16, 10 / 16, 3 / 16)

# stride 2, padding 1: t runs from position -4 to 2h + 2, of which -3 .. 2h + 1 count. Padding 2 would give just
# these, but oneDNN then takes a path for the weight gradient that is four times slower
_TRANSPOSED = ([2, 2], [1, 1], [1, 1], True, [0, 0], 1)


@cache
def _depthwise(taps: tuple[float, ...], channels: int, dtype: torch.dtype) -> Tensor:
    line = torch.tensor(taps, dtype=dtype)
    return torch.outer(line, line).repeat(channels, 1, 1, 1)


def _pad_symmetric(x: Tensor) -> Tensor:
    """Two more pixels on every side, in channels_last memory: .., x_1, x_0 | x_0, x_1, .."""
    b, c, h, w = x.shape
    padded = x.new_empty(b, h + 4, w + 4, c).permute(0, 3, 1, 2)
    padded[:, :, 2:-2, 2:-2] = x
    for view in (padded[:, :, :, 2:-2], padded.transpose(2, 3)):
        view[:, :, 1], view[:, :, 0] = view[:, :, 2], view[:, :, 3]
        view[:, :, -2], view[:, :, -1] = view[:, :, -3], view[:, :, -4]
    return padded


def _fold_symmetric_(grad: Tensor) -> Tensor:
    """Transpose of `_pad_symmetric`; overwrites its input."""
    for view in (grad.transpose(2, 3), grad[:, :, :, 2:-2]):
        view[:, :, 2] += view[:, :, 1]
        view[:, :, 3] += view[:, :, 0]
        view[:, :, -3] += view[:, :, -2]
        view[:, :, -4] += view[:, :, -1]
    return grad[:, :, 2:-2, 2:-2]


def _correct_border_(t: Tensor) -> None:
    """Make the border that of repetition and reflection; t[-2], the line to correct, is the third."""
    for view in (t, t.transpose(2, 3)):
        view[:, :, 2] += view[:, :, 1] - view[:, :, 3]
        view[:, :, -3] += view[:, :, -2] - view[:, :, -4]


def _correct_border_transpose_(grad: Tensor) -> None:
    """Transpose of `_correct_border_`."""
    for view in (grad.transpose(2, 3), grad):
        view[:, :, 1] += view[:, :, 2]
        view[:, :, 3] -= view[:, :, 2]
        view[:, :, -2] += view[:, :, -3]
        view[:, :, -4] -= view[:, :, -3]


class _UpsampledNormConv(torch.autograd.Function):
    """Doubling, scaling by the inverse deviation, and the convolution, in channels_last memory."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, scale: Tensor, weight: Tensor, eps: float) -> Tensor:
        channels, filters = x.shape[1], weight.shape[0]
        padded = _pad_symmetric(x)
        smooth = F.conv2d(padded, _depthwise(_GRAM, channels, x.dtype), groups=channels)[:, :, 1:-1, 1:-1]
        smooth = smooth - x.mean((0, 2, 3), keepdim=True)
        # smoothing keeps the mean, so centring one factor is enough
        variance = (smooth * x).sum((0, 2, 3)) / x[0, 0].numel()
        inverse_std = torch.rsqrt(variance + eps)
        flipped = (weight * (scale * inverse_std)).flip(1, 2).permute(3, 0, 1, 2)
        t = torch.ops.aten.convolution(padded, flipped, None, *_TRANSPOSED)
        _correct_border_(t)
        ctx.save_for_backward(padded, smooth, flipped, weight, scale, inverse_std)
        return F.conv2d(t, _depthwise(_UPSAMPLE, filters, x.dtype), groups=filters)[:, :, 2:-2, 2:-2]

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor | None, ...]:
        padded, smooth, flipped, weight, scale, inverse_std = ctx.saved_tensors  # type: ignore[attr-defined]
        filters = weight.shape[0]
        grad_t = F.conv2d(grads[0], _depthwise(_UPSAMPLE, filters, weight.dtype), padding=5, groups=filters)
        _correct_border_transpose_(grad_t)
        grad_padded, grad_flipped, _ = torch.ops.aten.convolution_backward(
            grad_t, padded, flipped, None, *_TRANSPOSED, [True, True, False]
        )
        grad_scaled = grad_flipped.permute(1, 2, 3, 0).flip(1, 2)
        grad_gain = (grad_scaled * weight).sum((0, 1, 2))
        grad_weight = grad_scaled.mul_(scale * inverse_std)
        grad_variance = -0.5 * grad_gain * scale * inverse_std**3
        factor = grad_variance * (2 / smooth[0, 0].numel())
        grad_x = torch.addcmul(_fold_symmetric_(grad_padded), smooth, factor.view(1, -1, 1, 1))
        return grad_x, grad_gain * inverse_std, grad_weight, None


def upsampled_norm_conv3x3(
    x: Float[Tensor, "1 c h w"],
    scale: Float[Tensor, " c"],
    weight: Float[Tensor, "o 3 3 c"],
    eps: float = 1e-5,
) -> Float[Tensor, "1 o 2*h 2*w"]:
    """Bilinear doubling, batch norm, reflection padding and a 3x3 convolution, up to a constant per filter.

    Equals `conv2d(pad(batch_norm(interpolate(x, scale_factor=2, mode="bilinear"))))` of one image but for an
    additive constant in each output channel: use it where a batch norm follows.

    Args:
        x: one image, sides of at least 2 px; fastest in channels_last memory.
        scale: weight of the batch norm; its bias could only add to the constant.
        weight: filters with the input channels last.
        eps: added to the variance, which is that of the doubled image.
    """
    return _UpsampledNormConv.apply(x, scale, weight, eps)
