"""Image-to-image networks: from an LR image to its SR image, without a kernel. What they state of themselves."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.degradation.factors import Factors, named
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError

Upscale = Callable[[Float[Tensor, "b c h w"]], Float[Tensor, "b c hs ws"]]
Residual = Literal["bicubic", "none"]


class ImageToImage(nn.Module):
    """A network that enlarges by one scale; an LR pixel stands for the middle of s x s SR pixels (`block_center`).

    Attributes:
        kind: its name in a checkpoint's architecture.
        scales: that the class serves; empty: all.
        multiple: LR sides must be multiples of it.
        scale: s.
        channels: bands or image channels it takes and gives; None: any number.
        architecture: plain values that rebuild it, `kind` among them.
    """

    kind: ClassVar[str]
    scales: ClassVar[tuple[int, ...]] = ()
    multiple: int = 1

    scale: int
    channels: int | None
    architecture: dict[str, Any]

    @property
    def factors(self) -> Factors:
        """By which rows and columns are enlarged."""
        return self.scale, self.scale

    def serve(self, factors: Factors) -> None:
        """Make sure that this network is for images such as these.

        Raises:
            UserError: they ask for other factors.
        """
        if self.factors == factors:
            return
        fix = f"set scale={self.scale}, or train one for x{max(factors)}"
        if len({*self.factors}) + len({*factors}) > 2:
            fix = f"train one with backbone.axes={[*factors]}, or set degradation.grid={[*self.factors]}"
        raise UserError(
            f"the network enlarges {named(self.factors)}, these images ask for {named(factors)}",
            where="backbone",
            fix=fix,
        )

    def for_images(self, lr: Float[Tensor, "b c h w"], shared: bool = False) -> Upscale:
        """The network with all that it takes from whole images: restores them, or tiles of them.

        Args:
            lr: the images.
            shared: they are patches of one image, so that what is taken from them is taken together.
        """
        return self

    def over_bicubic(
        self, residual: Residual, correction: Float[Tensor, "b c hs ws"], lr: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b c hs ws"]:
        """What the last layer gave, plus MATLAB's bicubic of the input if the network predicts a residual."""
        if residual == "none":
            return correction
        with torch.autocast(lr.device.type, enabled=False):  # half precision holds corrections, not images
            return correction.to(lr) + imresize(lr, self.scale)


def starts_at_zero(layer: nn.Conv2d) -> None:
    """Clear a last layer, so that an untrained residual network is bicubic."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def doublings(scale: int) -> list[int]:
    """Factors of the stages of an upsampler: 2 for each power of 2, else the scale itself; none for 1."""
    power = scale.bit_length() - 1
    return [2] * power if scale == 2**power else [scale]
