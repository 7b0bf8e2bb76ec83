"""SR by one pass of a trained image-to-image network, in tiles where the image is large."""

import time

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.image_to_image import ImageToImage
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.resample import at_anchor
from sr_lab.errors import UserError
from sr_lab.methods.base import Method
from sr_lab.methods.tiles import restored_rows

TILE = 64
MARGIN = 8
OVERLAP = 16


class Feedforward(Method):
    """Restoration by a network that was trained for one scale and needs no kernel.

    Args:
        backbone: the network.
        tile: distance from tile to tile, LR pixels; smaller images are restored in one piece, as all are with null.
            A network with attention over the whole image gives slightly different results in tiles.
    """

    def __init__(self, backbone: ImageToImage, tile: int | None = TILE) -> None:
        super().__init__()
        self.backbone, self.tile = backbone, tile

    def restore(self, sample: Sample) -> Restored:
        """Enlarge."""
        started = time.perf_counter()
        sr = enlarged(self.backbone, sample, self.degradation, self.tile)
        return Restored(sr, seconds=time.perf_counter() - started)


@torch.no_grad()
def enlarged(
    network: ImageToImage, sample: Sample, degradation: Degradation, tile: int | None = TILE
) -> Float[Tensor, "b c hs ws"]:
    """The images of a sample, enlarged and moved onto the HR grid of their degradation; not clipped.

    Args:
        network: of the sample's scale and channels.
        sample: LR images of any size.
        degradation: that they went through.
        tile: see `Feedforward`.

    Raises:
        UserError: the network is for another scale or number of channels.
    """
    lr, scale = sample.lr, sample.scale
    if network.scale != scale:
        raise UserError(
            f"the network enlarges x{network.scale}, these images ask for x{scale}",
            where="backbone",
            fix=f"set scale={network.scale}, or train one for x{scale}",
        )
    if network.channels not in (None, lr.shape[1]):
        raise UserError(
            f"the network takes {network.channels} bands, image '{sample.image_ids[0]}' has {lr.shape[1]}",
            where="backbone",
            fix="choose as many bands, or a network on eigenimages, which takes any number",
        )
    upscale = network.for_images(lr)
    if tile is None or max(lr.shape[-2:]) <= tile:
        sr = upscale(lr)
    else:
        rows = restored_rows(
            lr,
            scale,
            lambda piece, _: upscale(piece),
            tile=tile,
            margin=MARGIN,
            overlap=OVERLAP,
            boundary="symmetric",
        )
        sr = torch.cat(list(rows), -2)
    return at_anchor(sr, scale, degradation.anchor, degradation.phase)
