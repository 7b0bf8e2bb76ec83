"""Swin U-Net that predicts a clean latent from a noisy one, the LR image and the step.

Sources: ResShift (Yue et al., NeurIPS 2023): the U-Net of ADM (Dhariwal and Nichol, NeurIPS 2021) with Swin layers
(Liu et al., ICCV 2021) for its attention. Attribute names are the keys of published checkpoints.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from sr_lab.errors import UserError


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32 if channels % 32 == 0 else 8, channels)


class _Block(nn.Module):
    """Residual block; the step scales and shifts the second norm."""

    def __init__(self, ins: int, outs: int, embedding: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(_norm(ins), nn.SiLU(), nn.Conv2d(ins, outs, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * outs))
        last = nn.Conv2d(outs, outs, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.out_layers = nn.Sequential(_norm(outs), nn.SiLU(), nn.Identity(), last)
        self.skip_connection = nn.Conv2d(ins, outs, 1) if ins != outs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.emb_layers(embedding)[..., None, None].chunk(2, 1)
        y = self.out_layers[0](self.in_layers(x)) * (1 + scale) + shift
        return self.skip_connection(x) + self.out_layers[1:](y)


def _windows(x: Tensor, side: int) -> Tensor:
    """(b, c, h, w) to (b * windows, side * side, c)."""
    b, c, h, w = x.shape
    x = x.view(b, c, h // side, side, w // side, side)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(-1, side * side, c)


def _joined(windows: Tensor, shape: Sequence[int], side: int) -> Tensor:
    b, c, h, w = shape
    x = windows.view(b, h // side, w // side, side, side, c)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(b, c, h, w)


def _mask(h: int, w: int, side: int, shift: int) -> Float[Tensor, "n p p"]:
    """-100 between pixels of a shifted window that were no neighbours before the shift."""
    region = torch.zeros(h, w)
    for k, cut in enumerate((slice(-side, -shift), slice(-shift, None)), 1):
        region[cut] += 3 * k
        region[:, cut] += k
    part = _windows(region[None, None], side)[..., 0]
    return (part[:, None] != part[:, :, None]).float() * -100


class _WindowAttention(nn.Module):
    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * side - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        at = torch.arange(side)
        difference = at[:, None] - at + side - 1
        index = difference[:, None, :, None] * (2 * side - 1) + difference[None, :, None, :]
        self.register_buffer("relative_position_index", index.reshape(side * side, -1))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        n, p, c = x.shape
        q, k, v = self.qkv(x).view(n, p, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)[None]
        if mask is not None:
            bias = bias + mask.to(bias).repeat(n // len(mask), 1, 1)[:, None]
        y = F.scaled_dot_product_attention(q, k, v, bias.to(q).expand(n, -1, -1, -1))
        return self.proj(y.transpose(1, 2).reshape(n, p, c))


class _MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(width, 4 * width, 1), nn.Conv2d(4 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class _SwinBlock(nn.Module):
    attn_mask: Tensor | None

    def __init__(self, width: int, heads: int, side: int, shift: int, built: int) -> None:
        super().__init__()
        self.side, self.shift = side, shift
        self.norm1, self.attn = _norm(width), _WindowAttention(width, heads, side)
        self.norm2, self.mlp = _norm(width), _MLP(width)
        self.register_buffer("attn_mask", _mask(built, built, side, shift) if shift else None)
        self.masks: dict[tuple[int, int], Tensor] = {}  # of sizes other than the one it was built for
        self.built = built

    def _mask(self, h: int, w: int) -> Tensor | None:
        if self.attn_mask is None or (h, w) == (self.built, self.built):
            return self.attn_mask
        if (h, w) not in self.masks:
            self.masks = {(h, w): _mask(h, w, self.side, self.shift)}
        return self.masks[h, w]

    def forward(self, x: Tensor) -> Tensor:
        y = torch.roll(self.norm1(x), (-self.shift, -self.shift), (2, 3))
        y = self.attn(_windows(y, self.side), self._mask(*x.shape[-2:]))
        x = x + torch.roll(_joined(y, x.shape, self.side), (self.shift, self.shift), (2, 3))
        return x + self.mlp(self.norm2(x))


class _Projection(nn.Module):
    def __init__(self, ins: int, outs: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(ins, outs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x)


class _SwinLayer(nn.Module):
    """Two blocks, the second on shifted windows, at a width of their own; nothing goes around them."""

    def __init__(self, channels: int, width: int, heads: int, side: int, built: int) -> None:
        super().__init__()
        shift = side // 2 if built > side else 0
        self.patch_embed, self.patch_unembed = _Projection(channels, width), _Projection(width, channels)
        self.blocks = nn.ModuleList(_SwinBlock(width, heads, side, s, built) for s in (0, shift))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        for block in self.blocks:
            x = block(x)
        return self.patch_unembed(x)


class _Down(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class _Up(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0))


class _Step(nn.Sequential):
    """Layers in turn; those that need the step are told it."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, _Block) else layer(x)
        return x


class SwinUNet(nn.Module):
    """The denoiser.

    Args:
        latent: channels of the noisy latent, and of what it predicts.
        condition: channels of the LR condition, on the latent's grid.
        width: channels of the finest level.
        mult: channels of each level, over width; each but the last halves the side.
        blocks: residual blocks of an encoder's level; a decoder's has one more.
        swin_width, heads: of the Swin layers.
        window: side of an attention window.
        built: latent side of training, for which shift masks are kept in checkpoints.

    Raises:
        UserError: `built` does not divide into windows at every level.
    """

    def __init__(
        self,
        latent: int = 3,
        condition: int = 3,
        width: int = 160,
        mult: Sequence[int] = (1, 2, 2, 4),
        blocks: int = 2,
        swin_width: int = 192,
        heads: int = 6,
        window: int = 8,
        built: int = 64,
    ) -> None:
        super().__init__()
        self.latent, self.width = latent, width
        self.multiple = window * 2 ** (len(mult) - 1)
        if built % self.multiple:
            raise UserError(
                f"a latent side of {built} does not divide into windows of {window} at {len(mult)} levels",
                where="backbone.built",
                fix=f"use a multiple of {self.multiple}",
            )
        embedding = 4 * width
        self.time_embed = nn.Sequential(
            nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )

        def swin(channels: int, side: int) -> _SwinLayer:
            return _SwinLayer(channels, swin_width, heads, window, side)

        channels, side, skips = width, built, [width]
        self.input_blocks = nn.ModuleList([_Step(nn.Conv2d(latent + condition, width, 3, padding=1))])
        for level, m in enumerate(mult):
            for k in range(blocks):
                layers: list[nn.Module] = [_Block(channels, width * m, embedding)]
                channels = width * m
                self.input_blocks.append(_Step(*layers, *([] if k else [swin(channels, side)])))
                skips.append(channels)
            if level < len(mult) - 1:
                self.input_blocks.append(_Step(_Down(channels)))
                skips.append(channels)
                side //= 2
        self.middle_block = _Step(
            _Block(channels, channels, embedding), swin(channels, side), _Block(channels, channels, embedding)
        )
        self.output_blocks = nn.ModuleList()
        for level, m in reversed(list(enumerate(mult))):
            for k in range(blocks + 1):
                layers = [_Block(channels + skips.pop(), width * m, embedding)]
                channels = width * m
                if k == 0:
                    layers.append(swin(channels, side))
                if level and k == blocks:
                    layers.append(_Up(channels))
                    side *= 2
                self.output_blocks.append(_Step(*layers))
        self.out = nn.Sequential(_norm(channels), nn.SiLU(), nn.Conv2d(channels, latent, 3, padding=1))

    def forward(
        self, z: Float[Tensor, "b z h w"], step: Int64[Tensor, " b"], condition: Float[Tensor, "b k h w"]
    ) -> Float[Tensor, "b z h w"]:
        """The clean latent that a scaled noisy one stands for.

        Args:
            z: of any size; padded by its edge pixels to what windows and levels need.
            step: the network's number of it.
            condition: in [-1, 1].
        """
        height, width = z.shape[-2:]
        x = torch.cat((z, condition), 1)
        x = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        half = self.width // 2
        rate = torch.exp(-math.log(1e4) * torch.arange(half, device=z.device) / half)
        phase = step[:, None].to(rate) * rate
        embedding = self.time_embed(torch.cat((phase.cos(), phase.sin()), 1).to(z))
        skips: list[Tensor] = []
        for block in self.input_blocks:
            x = block(x, embedding)
            skips.append(x)
        x = self.middle_block(x, embedding)
        for block in self.output_blocks:
            x = block(torch.cat((x, skips.pop()), 1), embedding)
        return self.out(x)[..., :height, :width]
