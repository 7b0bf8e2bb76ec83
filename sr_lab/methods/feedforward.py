"""SR by one pass of a trained image-to-image network, in tiles where the image is large."""

import time
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.image_to_image import ImageToImage, Upscale
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.factors import Factors, both
from sr_lab.degradation.resample import at_anchor
from sr_lab.errors import UserError
from sr_lab.methods.base import Method
from sr_lab.methods.tiles import Tile, restored_rows

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

    per_axis = True

    def __init__(self, backbone: ImageToImage, tile: int | None = TILE) -> None:
        super().__init__()
        self.backbone, self.tile = backbone, tile

    def restore(self, sample: Sample) -> Restored:
        """Enlarge."""
        started = time.perf_counter()
        sr = enlarged(self.backbone, sample, self.degradation, self.tile)
        return Restored(sr, seconds=time.perf_counter() - started)


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
        UserError: as `enlarged_rows`.
    """
    sr = torch.cat(list(enlarged_rows(network, sample, tile, factors=degradation.factors)), -2)
    return at_anchor(sr, sample.scale, degradation.anchor, degradation.phase)


def enlarged_rows(
    network: ImageToImage,
    sample: Sample,
    tile: int | None = TILE,
    label: str | None = None,
    factors: Factors | None = None,
) -> Iterator[Float[Tensor, "b c rows ws"]]:
    """The images of a sample, enlarged from the top down, at the block centre.

    Args:
        network: of the sample's scale and channels.
        sample: LR images of any size.
        tile: see `Feedforward`.
        label: of a progress bar over many tiles.
        factors: that the images ask for, of rows and columns; None: the sample's scale of both.

    Raises:
        UserError: the network is for other factors or another number of channels.
    """
    lr = sample.lr
    network.serve(factors or both(sample.scale))
    if network.channels not in (None, lr.shape[1]):
        raise UserError(
            f"the network takes {network.channels} bands, image '{sample.image_ids[0]}' has {lr.shape[1]}",
            where="backbone",
            fix="choose as many bands, or a network on eigenimages, which takes any number",
        )
    return _rows(network.for_images(lr), lr, network.factors, tile, label)


def _rows(
    upscale: Upscale, lr: Tensor, factors: Factors, tile: int | None, label: str | None
) -> Iterator[Float[Tensor, "b c rows ws"]]:
    @torch.no_grad()
    def piece(part: Tensor, place: Tile | None = None) -> Tensor:
        return upscale(part)

    if tile is None or max(lr.shape[-2:]) <= tile:
        return iter([piece(lr)])
    return restored_rows(
        lr, factors, piece, tile=tile, margin=MARGIN, overlap=OVERLAP, boundary="symmetric", label=label
    )
