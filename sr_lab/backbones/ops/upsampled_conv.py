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
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

_UPSAMPLE = (1 / 4, 3 / 4, 3 / 4, 1 / 4)
# half of U'U for the doubling U of one axis, with symmetric borders
_GRAM = (3 / 16, 10 / 16, 3 / 16)


@cache
def _depthwise(
    rows: tuple[float, ...], columns: tuple[float, ...], channels: int, dtype: torch.dtype
) -> Tensor:
    kernel = torch.outer(torch.tensor(rows, dtype=dtype), torch.tensor(columns, dtype=dtype))
    return kernel.repeat(channels, 1, 1, 1)


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
    """Make the border that of repetition and reflection; t[-2] and its fellows lie one line inside."""
    for view in (t, t.transpose(2, 3)):
        view[:, :, 2] += view[:, :, 1] - view[:, :, 3]
        view[:, :, -3] += view[:, :, -2] - view[:, :, -4]


def _upsample_transpose(grad: Tensor) -> list[list[Tensor]]:
    """Gradient of t, [even, odd] rows by [even, odd] columns apart, from position -4 or -3.

    Transpose of the upsampling filter and of the border correction; apart, (h + 4, w + 4) each, so that the
    gradients of the transposed convolution are plain matrix products.
    """
    # the same start and length for both: an odd phase looks two positions further along a wider frame
    ways = ((_UPSAMPLE, 5), ((0.0, 0.0, *_UPSAMPLE), 6))
    channels = grad.shape[1]
    phases = [
        [
            F.conv2d(
                grad,
                _depthwise(a, b, channels, grad.dtype),
                stride=2,
                padding=(pad_a, pad_b),
                groups=channels,
            )
            for b, pad_b in ways
        ]
        for a, pad_a in ways
    ]
    rows = [(phases[0][i], phases[1][i]) for i in (0, 1)]
    columns = [(phases[i][0].mT, phases[i][1].mT) for i in (0, 1)]
    for even, odd in rows + columns:
        odd[:, :, 0] += even[:, :, 1]
        odd[:, :, 1] -= even[:, :, 1]
        odd[:, :, -2] += even[:, :, -2]
        odd[:, :, -3] -= even[:, :, -2]
    return phases


class _UpsampledNormConv(torch.autograd.Function):
    """Doubling, scaling by the inverse deviation, and the convolution, in channels_last memory."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, scale: Tensor, weight: Tensor, eps: float) -> Tensor:
        channels, filters = x.shape[1], weight.shape[0]
        padded = _pad_symmetric(x)
        smooth = F.conv2d(padded, _depthwise(_GRAM, _GRAM, channels, x.dtype), groups=channels)[
            :, :, 1:-1, 1:-1
        ]
        smooth = smooth - x.mean((0, 2, 3), keepdim=True)
        # smoothing keeps the mean, so centring one factor is enough
        variance = (smooth * x).sum((0, 2, 3)) / x[0, 0].numel()
        inverse_std = torch.rsqrt(variance + eps)
        scaled = weight * (scale * inverse_std)
        # from position -4 to 2h + 2, of which -3 .. 2h + 1 count; padding 2 would do, but runs slower
        t = F.conv_transpose2d(padded, scaled.flip(1, 2).permute(3, 0, 1, 2), stride=2, padding=1)
        _correct_border_(t)
        ctx.save_for_backward(padded, smooth, scaled, weight, scale, inverse_std)
        return F.conv2d(t, _depthwise(_UPSAMPLE, _UPSAMPLE, filters, x.dtype), groups=filters)[
            :, :, 2:-2, 2:-2
        ]

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor | None, ...]:
        padded, smooth, scaled, weight, scale, inverse_std = ctx.saved_tensors  # type: ignore[attr-defined]
        phases = _upsample_transpose(grads[0])
        (filters, _, _, channels), width = weight.shape, padded.shape[3]
        pixels = padded.permute(0, 2, 3, 1).reshape(-1, channels)
        grad_pixels, grad_scaled = torch.zeros_like(pixels), weight.new_empty(3, 3, filters, channels)
        for i, j in product(range(3), range(3)):
            # outside the frame the gradient is zero, so rows of pixels may run into each other
            part = phases[i != 1][j != 1].permute(0, 2, 3, 1).reshape(-1, filters)
            shift = (i == 2) * width + (j == 2)
            part = part[: len(part) - shift]
            grad_pixels[shift:].addmm_(part, scaled[:, i, j])
            torch.mm(part.T, pixels[shift:], out=grad_scaled[i, j])
        grad_scaled = grad_scaled.permute(2, 0, 1, 3)
        grad_padded = grad_pixels.view(1, -1, width, channels).permute(0, 3, 1, 2)
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
