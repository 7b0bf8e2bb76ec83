"""VQ autoencoder of factor 4: images to latents of a quarter of the side, and back through a codebook.

Sources: VQGAN (Esser et al., CVPR 2021), latent diffusion (Rombach et al., CVPR 2022); ResShift's frozen first stage.
Attribute names are the keys of published checkpoints.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32 if channels % 32 == 0 else 1, channels, eps=1e-6)


class _Block(nn.Module):
    def __init__(self, ins: int, outs: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(ins), nn.Conv2d(ins, outs, 3, padding=1)
        self.norm2, self.conv2 = _norm(outs), nn.Conv2d(outs, outs, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(ins, outs, 1) if ins != outs else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        y = self.conv2(F.silu(self.norm2(y)))
        return y + (x if self.nin_shortcut is None else self.nin_shortcut(x))


class _Attention(nn.Module):
    """One head over all pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        q, k, v = (layer(y).flatten(2).mT[:, None] for layer in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v)[:, 0].mT.reshape(x.shape)
        return x + self.proj_out(y)


class _Middle(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1, self.attn_1, self.block_2 = (
            _Block(channels, channels),
            _Attention(channels),
            _Block(channels, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class _Resample(nn.Module):
    """Halves the side (stride 2, padded at right and bottom only) or doubles it (nearest, then 3x3)."""

    def __init__(self, channels: int, down: bool) -> None:
        super().__init__()
        self.down = down
        self.conv = nn.Conv2d(channels, channels, 3, stride=2 if down else 1, padding=0 if down else 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.down else F.interpolate(x, scale_factor=2.0))


class _Level(nn.Module):
    def __init__(self, ins: int, outs: int, blocks: int) -> None:
        super().__init__()
        self.block = nn.ModuleList(_Block(outs if k else ins, outs) for k in range(blocks))
        self.downsample: nn.Module | None = None
        self.upsample: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        for resample in (self.downsample, self.upsample):
            x = x if resample is None else resample(x)
        return x


class _Encoder(nn.Module):
    def __init__(self, channels: int, width: int, mult: tuple[int, ...], blocks: int, latent: int) -> None:
        super().__init__()
        widths = [width, *(width * m for m in mult)]
        self.conv_in = nn.Conv2d(channels, width, 3, padding=1)
        self.down = nn.ModuleList()
        for k in range(len(mult)):
            level = _Level(widths[k], widths[k + 1], blocks)
            if k < len(mult) - 1:
                level.downsample = _Resample(widths[k + 1], down=True)
            self.down.append(level)
        self.mid = _Middle(widths[-1])
        self.norm_out, self.conv_out = _norm(widths[-1]), nn.Conv2d(widths[-1], latent, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(self.mid(x))))


class _Decoder(nn.Module):
    def __init__(self, channels: int, width: int, mult: tuple[int, ...], blocks: int, latent: int) -> None:
        super().__init__()
        widths = [*(width * m for m in mult), width * mult[-1]]
        self.conv_in = nn.Conv2d(latent, widths[-1], 3, padding=1)
        self.mid = _Middle(widths[-1])
        self.up = nn.ModuleList()
        for k in range(len(mult)):
            level = _Level(widths[k + 1], widths[k], blocks + 1)
            if k:
                level.upsample = _Resample(widths[k], down=False)
            self.up.append(level)
        self.norm_out, self.conv_out = _norm(widths[0]), nn.Conv2d(widths[0], channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class _Codebook(nn.Module):
    def __init__(self, codes: int, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, channels)
        nn.init.uniform_(self.embedding.weight, -1 / codes, 1 / codes)

    def forward(self, z: Tensor) -> Tensor:
        """The nearest code of every pixel; the slope passes straight through."""
        flat = z.detach().movedim(1, -1).flatten(0, 2)
        with torch.no_grad():
            nearest = torch.cat(
                [torch.cdist(part, self.embedding.weight).argmin(1) for part in flat.split(4096)]
            )
        codes = self.embedding.weight[nearest].view(*z.movedim(1, -1).shape).movedim(-1, 1)
        return z + (codes - z).detach()


class VQAutoencoder(nn.Module):
    """Encoder, codebook and decoder. A latent is not quantised until it is decoded.

    Args:
        channels: of images; 3 in published weights, infrared images are then repeated.
        width: channels of the finest level.
        mult: channels of each level, over width; each level but the last halves the side.
        blocks: residual blocks of an encoder's level; a decoder's has one more.
        latent: channels of z.
        codes: of the codebook.
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 128,
        mult: tuple[int, ...] = (1, 2, 4),
        blocks: int = 2,
        latent: int = 3,
        codes: int = 8192,
    ) -> None:
        super().__init__()
        self.factor, self.latent = 2 ** (len(mult) - 1), latent
        self.encoder = _Encoder(channels, width, mult, blocks, latent)
        self.decoder = _Decoder(channels, width, mult, blocks, latent)
        self.quantize = _Codebook(codes, latent)
        self.quant_conv, self.post_quant_conv = nn.Conv2d(latent, latent, 1), nn.Conv2d(latent, latent, 1)

    def encode(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b z hf wf"]:
        """Images in [-1, 1], sides multiples of the factor, to latents."""
        return self.quant_conv(self.encoder(image))

    def decode(self, z: Float[Tensor, "b z hf wf"]) -> Float[Tensor, "b c h w"]:
        """Quantise, and back to images in [-1, 1], not clipped; differentiable in z."""
        return self.decoder(self.post_quant_conv(self.quantize(z)))
