"""Winograd convolution on the CPU: a 3x3 convolution with a quarter of the multiplications, as batched GEMMs.

F(4x4, 3x3) of Lavin and Gray (2016): each 4x4 tile of the output comes from a 6x6 tile of the input by 36
products where the direct form takes 144. In one dimension y = A'((G w) . (B' d)); in two, both transforms
run on both axes, which a Kronecker product writes as one small matrix. Everything is linear, so the
gradients are the transposes. oneDNN as PyTorch calls it has only direct algorithms, which is what makes
this worth its memory traffic.

`reflect_conv3x3` has gradients; `zero_conv3x3` serves inference alone, in strips that stay in the cache.
"""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

TILE = 4
_INPUT_TILE = TILE + 2
_STRIP = 256  # tiles transformed together without gradients
# the sixth is infinity. The usual 0, 1, -1, 2, -2 have four times the float32 error of a direct convolution;
# these, with magnitudes balanced about 1, twice
_POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))


@cache
def transforms(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Input (36, 36), weight (36, 9) and output (16, 36) transforms by Toom and Cook's construction.

    The output transform evaluates powers at the points, the weight transform does so divided by the products
    of their differences, and the input transform holds the polynomials with the other points as roots.
    """
    points = torch.tensor(_POINTS, dtype=torch.float64)
    count = len(points) + 1
    data = torch.zeros(count, count, dtype=torch.float64)
    weight = torch.zeros(count, 3, dtype=torch.float64)
    output = torch.zeros(TILE, count, dtype=torch.float64)
    for i, point in enumerate(points):
        others = torch.cat([points[:i], points[i + 1 :]])
        data[i, :-1] = _polynomial(others)
        weight[i] = point ** torch.arange(3) / (point - others).prod()
        output[:, i] = point ** torch.arange(TILE)
    data[-1] = _polynomial(points)
    weight[-1, -1] = output[-1, -1] = 1.0
    data, weight, output = (torch.kron(m, m).to(dtype) for m in (data, weight, output))
    return data, weight, output


def _polynomial(roots: Tensor) -> Tensor:
    """Coefficients, lowest first, of the monic polynomial with these roots."""
    coefficients = torch.ones(1, dtype=roots.dtype)
    for root in roots:
        coefficients = F.pad(coefficients, (1, 0)) - root * F.pad(coefficients, (0, 1))
    return coefficients


class _ReflectConv(torch.autograd.Function):
    """Reflection padding and the convolution, in NHWC memory."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor) -> Tensor:
        data, kernel, output = transforms(x.dtype)
        filters, channels = weight.shape[0], weight.shape[3]
        height, width = x.shape[2:]
        rows, columns = -(-height // TILE), -(-width // TILE)
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        if height % TILE or width % TILE:
            padded = F.pad(padded, (0, -width % TILE, 0, -height % TILE))
        tiles = padded[0].permute(1, 2, 0).unfold(0, _INPUT_TILE, TILE).unfold(1, _INPUT_TILE, TILE)
        tiles = tiles.permute(3, 4, 0, 1, 2).reshape(_INPUT_TILE**2, -1)
        v = (data @ tiles).view(-1, rows * columns, channels)
        u = (kernel @ weight.permute(1, 2, 0, 3).reshape(9, -1)).view(-1, filters, channels)
        y = output @ torch.bmm(v, u.transpose(1, 2)).view(_INPUT_TILE**2, -1)
        y = y.view(TILE, TILE, rows, columns, filters).permute(2, 0, 3, 1, 4)
        y = y.reshape(1, rows * TILE, columns * TILE, filters)
        ctx.save_for_backward(v, u)
        return y[:, :height, :width].permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        v, u = ctx.saved_tensors  # type: ignore[attr-defined]
        (grad,) = grads
        data, kernel, output = transforms(grad.dtype)
        filters, channels = u.shape[1:]
        height, width = grad.shape[2:]
        rows, columns = -(-height // TILE), -(-width // TILE)
        whole = grad[0].permute(1, 2, 0)
        if height % TILE or width % TILE:
            whole = F.pad(whole, (0, 0, 0, -width % TILE, 0, -height % TILE))
        tiles = whole.reshape(rows, TILE, columns, TILE, filters).permute(1, 3, 0, 2, 4)
        m = (output.T @ tiles.reshape(TILE**2, -1)).view(-1, rows * columns, filters)
        grad_weight = kernel.T @ torch.bmm(m.transpose(1, 2), v).view(_INPUT_TILE**2, -1)
        grad_weight = grad_weight.view(3, 3, filters, channels).permute(2, 0, 1, 3)
        tiles = data.T @ torch.bmm(m, u).view(_INPUT_TILE**2, -1)
        padded = _overlap_add(tiles.view(_INPUT_TILE, _INPUT_TILE, rows, columns, channels))
        grad_x = _fold_reflection_(padded[: height + 2, : width + 2])
        # the batch axis goes first: its stride must be that of channels_last memory, or the next op copies
        return grad_x[None].permute(0, 3, 1, 2), grad_weight


def _overlap_add(tiles: Tensor) -> Tensor:
    """Sum of (6, 6, rows, columns, C) tiles at stride 4, with 2 spare lines at the bottom and right."""
    _, _, rows, columns, channels = tiles.shape
    # each 6 is one block of 4 and half of the next
    total = tiles.new_zeros(rows + 1, TILE, columns + 1, TILE, channels)
    for i, tall in ((0, TILE), (1, 2)):
        for j, wide in ((0, TILE), (1, 2)):
            part = tiles[TILE * i : TILE * i + tall, TILE * j : TILE * j + wide]
            total[i : i + rows, :tall, j : j + columns, :wide] += part.permute(2, 0, 3, 1, 4)
    return total.view((rows + 1) * TILE, (columns + 1) * TILE, channels)


def _fold_reflection_(padded: Tensor) -> Tensor:
    """Transpose of reflection padding by one pixel; overwrites its input."""
    for view in (padded, padded.transpose(0, 1)):
        view[2] += view[0]
        view[-3] += view[-1]
    return padded[1:-1, 1:-1]


def reflect_conv3x3(
    x: Float[Tensor, "1 c h w"], weight: Float[Tensor, "o 3 3 c"]
) -> Float[Tensor, "1 o h w"]:
    """Reflection padding by one pixel and a 3x3 convolution; fastest for channels_last memory.

    Args:
        x: one image, sides of at least 2 px.
        weight: filters with the input channels last.
    """
    return _ReflectConv.apply(x, weight)


@torch.no_grad()
def zero_conv3x3(
    x: Float[Tensor, "b c h w"], weight: Float[Tensor, "o c 3 3"], bias: Float[Tensor, " o"] | None = None
) -> Float[Tensor, "b o h w"]:
    """Zero padding by one pixel and a 3x3 convolution, without gradients; fastest for channels_last memory.

    Args:
        x: images of any size.
        weight: filters as `torch.nn.Conv2d` holds them.
        bias: added to each channel.
    """
    data, kernel, output = transforms(x.dtype)
    batch, channels, height, width = x.shape
    filters = weight.shape[0]
    rows, columns = -(-height // TILE), -(-width // TILE)
    beyond = (0, 0, 1, 1 + columns * TILE - width, 1, 1 + rows * TILE - height)
    padded = F.pad(x.permute(0, 2, 3, 1), beyond)
    u = (kernel @ weight.permute(2, 3, 0, 1).reshape(9, -1)).view(-1, filters, channels)
    result = x.new_empty(batch, rows, TILE, columns, TILE, filters)
    strip = max(1, _STRIP // columns)
    for image, into in zip(padded, result, strict=True):
        for first in range(0, rows, strip):
            last = min(first + strip, rows)
            part = image[first * TILE : last * TILE + 2]
            tiles = part.unfold(0, _INPUT_TILE, TILE).unfold(1, _INPUT_TILE, TILE)
            v = (data @ tiles.permute(3, 4, 0, 1, 2).reshape(_INPUT_TILE**2, -1)).view(
                _INPUT_TILE**2, -1, channels
            )
            y = output @ torch.bmm(v, u.transpose(1, 2)).view(_INPUT_TILE**2, -1)
            y = y.view(TILE, TILE, last - first, columns, filters).permute(2, 0, 3, 1, 4)
            if bias is None:
                into[first:last] = y
            else:
                torch.add(y, bias, out=into[first:last])
    whole = result.flatten(1, 2).flatten(2, 3)
    return whole[:, :height, :width].permute(0, 3, 1, 2)
