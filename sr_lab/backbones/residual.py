"""A plain residual network on bands, as for RGB images: the baseline that a hyperspectral network has to beat.

Source: EDSR (Lim et al., CVPR Workshops 2017): no batch norm, pixel shuffle, scaled residuals.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sr_lab.backbones.image_to_image import ImageToImage, Residual, doublings, starts_at_zero
from sr_lab.backbones.ops.conv import Conv3x3
from sr_lab.errors import UserError


class _Block(nn.Module):
    def __init__(self, width: int, share: float) -> None:
        super().__init__()
        self.conv1 = Conv3x3(width, width)
        self.conv2 = Conv3x3(width, width)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(x), inplace=True))
        return torch.add(x, y, alpha=self.share)


class ResidualNet(ImageToImage):
    """Head, residual blocks at LR size with a skip around them, pixel shuffle, tail.

    Args:
        channels: bands in and out.
        width: channels of every block.
        blocks: of two 3x3 convolutions each.
        scale: s.
        residual: `bicubic` predicts what MATLAB's bicubic lacks, and starts at nothing; `none` as EDSR.
        share: factor of each block's correction; EDSR takes 0.1 for wide networks.
    """

    kind = "residual"
    scales = (1, 2, 3, 4, 8)

    def __init__(
        self,
        channels: int,
        width: int = 64,
        blocks: int = 8,
        scale: int = 4,
        residual: Residual = "bicubic",
        share: float = 1.0,
    ) -> None:
        super().__init__()
        if scale not in self.scales:
            raise UserError(
                f"ResidualNet does not serve scale x{scale}",
                where="backbone.scale",
                fix=f"allowed: {', '.join(map(str, self.scales))}",
            )
        self.channels, self.scale = channels, scale
        self.residual: Residual = residual
        self.architecture = {
            "kind": self.kind,
            "channels": channels,
            "width": width,
            "blocks": blocks,
            "scale": scale,
            "residual": residual,
            "share": share,
        }
        self.head = Conv3x3(channels, width)
        self.body = nn.Sequential(*(_Block(width, share) for _ in range(blocks)), Conv3x3(width, width))
        stages: list[nn.Module] = []
        for factor in doublings(scale):
            stages += [Conv3x3(width, width * factor**2), nn.PixelShuffle(factor)]
        self.upsample = nn.Sequential(*stages)
        self.tail = Conv3x3(width, channels)
        if residual == "bicubic":
            starts_at_zero(self.tail)
        self.to(memory_format=torch.channels_last)

    def forward(self, lr: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c hs ws"]:
        """Enlarge images of any size, in the scene's normalised range; the result is not clipped."""
        x = self.head(lr.contiguous(memory_format=torch.channels_last))
        x = self.tail(self.upsample(self.body(x) + x))
        return self.over_bicubic(self.residual, x, lr)
