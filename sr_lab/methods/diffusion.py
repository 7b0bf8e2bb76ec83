"""SR by a reverse diffusion chain of a trained network, in tiles where the image is large."""

import time
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from sr_lab.backbones.diffusion_network import DiffusionNetwork
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation
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
        consistency: weight of the data's gradient at every step: each predicted image x moves by so much of
            s^2 D^T(y - D x), 1 being about as far as the data asks. 0: none.

    Raises:
        UserError: consistency with kernels that are not known beforehand.
    """

    def __init__(
        self,
        backbone: DiffusionNetwork,
        steps: int | None = None,
        stochastic: bool = False,
        tile: int | None = 64,
        consistency: float | int = 0.0,
    ) -> None:
        super().__init__()
        self.backbone, self.tile, self.consistency = backbone, tile, consistency
        self.steps, self.stochastic = steps or backbone.schedule.steps, stochastic
        backbone.schedule.respaced(self.steps)  # told now if there are not so many

    def restore(self, sample: Sample) -> Restored:
        """Enlarge."""
        started = time.perf_counter()
        generators = self.generators(sample)
        sr = restored(
            self.backbone,
            sample,
            self.degradation,
            generators,
            self.steps,
            self.stochastic,
            self.tile,
            self.consistency,
        )
        return Restored(sr, seconds=time.perf_counter() - started)


@torch.no_grad()
def restored(
    network: DiffusionNetwork,
    sample: Sample,
    degradation: Degradation,
    generators: list[torch.Generator],
    steps: int,
    stochastic: bool = False,
    tile: int | None = 64,
    consistency: float | int = 0.0,
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

    if consistency and degradation.kernels is not None:
        raise UserError(
            "the data's gradient needs the blur, and these kernels are drawn at random",
            where="method.consistency",
            fix="set it to 0, or use degradation=bicubic",
        )

    def piece(part: Tensor, place: Tile | None = None) -> Tensor:
        height, width = part.shape[-2:]
        part = F.pad(part, (0, -width % network.multiple, 0, -height % network.multiple), mode="replicate")
        enlarged = network.enlarge(part, degradation.anchor, degradation.phase)
        correct = partial(_consistent, part, degradation, consistency) if consistency else None
        sr = network.sample(part, enlarged, generators, steps, stochastic, correct)
        return sr[..., : height * scale, : width * scale]

    if tile is None or max(lr.shape[-2:]) <= tile:
        return piece(lr)
    rows = restored_rows(lr, scale, piece, tile=tile, margin=MARGIN, overlap=OVERLAP, boundary="symmetric")
    return torch.cat(list(rows), -2)


def _consistent(
    lr: Float[Tensor, "b c h w"],
    degradation: Degradation,
    weight: float,
    image: Float[Tensor, "b c hs ws"],
) -> Float[Tensor, "b c hs ws"]:
    """The image, a step of the data term's gradient further; s^2 makes up for the norm of a decimation."""
    with torch.enable_grad():
        image = image.detach().requires_grad_()
        term = (degradation(image, None) - lr).square().sum() / 2
        (slope,) = torch.autograd.grad(term, image)
    return image.detach() - weight * degradation.scale**2 * slope
