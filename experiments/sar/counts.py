"""Parameters and multiply-accumulates of LSRGAN's generator beside SRGAN's.

    python experiments/sar/counts.py

The paper (Jiang et al. 2024) claims 74.68 % less storage and 55.93 % less computation, without saying what it counted.
Here SRGAN's generator has one channel, and both work on 64x64 LR pixels; only convolutions are counted.
"""

import json
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sr_lab.backbones.lsrgan import LSRGAN

SIDE = 64
HERE = Path(__file__).parent


class SRGAN(nn.Module):
    """The textbook generator: 16 blocks of two convolutions with batch norm, 64 channels, 9x9 at both ends."""

    def __init__(self, scale: int, width: int = 64, blocks: int = 16) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(1, width, 9, padding=4), nn.PReLU())
        self.blocks = nn.ModuleList(self._block(width) for _ in range(blocks))
        self.post = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))
        stages: list[nn.Module] = []
        for _ in range(scale.bit_length() - 1):
            stages += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()]
        self.upsample = nn.Sequential(*stages)
        self.tail = nn.Conv2d(width, 1, 9, padding=4)

    @staticmethod
    def _block(width: int) -> nn.Sequential:
        first, second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        return nn.Sequential(first, nn.BatchNorm2d(width), nn.PReLU(), second, nn.BatchNorm2d(width))

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """Enlarge."""
        start = x = self.head(lr)
        for block in self.blocks:
            x = x + block(x)
        return self.tail(self.upsample(start + self.post(x)))


def counted(network: nn.Module) -> dict[str, float]:
    """Parameters, and 10^9 multiply-accumulates in convolutions."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, SIDE, SIDE))
    operations = counter.get_flop_counts()["Global"]
    flops = sum(count for operation, count in operations.items() if "convolution" in str(operation))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {"parameters": parameters, "gmac": round(flops / 2e9, 3)}


def main() -> None:
    """Count and write."""
    rows = []
    for scale in (4, 2):
        baseline = counted(SRGAN(scale).eval())
        rows.append({"network": "SRGAN", "scale": scale, **baseline})
        sizes = [(64, blocks, attention) for blocks in (16, 8, 7, 6) for attention in (True, False)]
        for width, blocks, attention in [*sizes, (32, 6, True)]:
            found = counted(LSRGAN(scale, width, blocks, attention))
            rows.append(
                {
                    "network": f"LSRGAN, {width} channels, {blocks} modules{'' if attention else ', no attention'}",
                    "scale": scale,
                    **found,
                    **{
                        f"less_{key}_percent": round(100 * (1 - found[key] / baseline[key]), 2)
                        for key in found
                    },
                }
            )
    (HERE / "counts.json").write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        print(*row.values(), sep="  ")


if __name__ == "__main__":
    main()
