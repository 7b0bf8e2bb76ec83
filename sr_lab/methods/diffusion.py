"""SR by a reverse diffusion chain of a trained network, in tiles where the image is large."""

import time

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from sr_lab.backbones.latent_diffusion import LatentDiffusion
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.resample import bicubic_upsample_aligned
from sr_lab.errors import UserError
from sr_lab.methods.base import Method
from sr_lab.methods.tiles import Tile, restored_rows

MARGIN = 8
OVERLAP = 16


class Diffusion(Method):
    """Restoration by residual-shift diffusion. The same run seed and image id give the same image.

    Args:
        backbone: the network.
        steps: of the chain; null: all of the schedule; 1: one-step inference.
        stochastic: draw new noise at every step.
        tile: distance from tile to tile, LR pixels; smaller images are restored in one piece, as all are with null.
            Each tile has noise of its own; neighbours fade into each other.
    """

    def __init__(
        self,
        backbone: LatentDiffusion,
        steps: int | None = None,
        stochastic: bool = False,
        tile: int | None = 64,
    ) -> None:
        super().__init__()
        self.backbone, self.tile = backbone, tile
        self.steps, self.stochastic = steps or backbone.schedule.steps, stochastic
        backbone.schedule.respaced(self.steps)  # told now if there are not so many

    def restore(self, sample: Sample) -> Restored:
        """Enlarge."""
        started = time.perf_counter()
        generators = self.generators(sample)
        sr = restored(
            self.backbone, sample, self.degradation, generators, self.steps, self.stochastic, self.tile
        )
        return Restored(sr, seconds=time.perf_counter() - started)


@torch.no_grad()
def restored(
    network: LatentDiffusion,
    sample: Sample,
    degradation: Degradation,
    generators: list[torch.Generator],
    steps: int,
    stochastic: bool = False,
    tile: int | None = 64,
) -> Float[Tensor, "b c hs ws"]:
    """The images of a sample by the chain, on the HR grid of their degradation; not clipped.

    Raises:
        UserError: the network is for another scale or number of channels.
    """
    lr, scale = sample.lr, sample.scale
    for what, has, asked in (
        ("scale", network.scale, scale),
        ("scene.channels", network.channels, lr.shape[1]),
    ):
        if has != asked:
            raise UserError(
                f"the network is for {has}, image '{sample.image_ids[0]}' asks for {asked}",
                where=what,
                fix=f"set {what}={has}, or train another network",
            )

    def piece(part: Tensor, place: Tile | None = None) -> Tensor:
        height, width = part.shape[-2:]
        part = F.pad(part, (0, -width % network.multiple, 0, -height % network.multiple), mode="replicate")
        enlarged = bicubic_upsample_aligned(part, scale, degradation.anchor, degradation.phase)
        sr = network.sample(part, enlarged, generators, steps, stochastic)
        return sr[..., : height * scale, : width * scale]

    if tile is None or max(lr.shape[-2:]) <= tile:
        return piece(lr)
    rows = restored_rows(lr, scale, piece, tile=tile, margin=MARGIN, overlap=OVERLAP, boundary="symmetric")
    return torch.cat(list(rows), -2)
