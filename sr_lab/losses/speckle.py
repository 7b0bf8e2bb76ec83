"""What joint methods minimise on detected radar images: the likelihood of speckle, and roughness of the scene."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.losses.gradient import gradient_penalty

FAINTEST = 1e-12  # intensity; -120 dB


def gamma_nll(
    mean: Float[Tensor, "*b h w"], seen: Float[Tensor, "*c h w"], looks: float | int
) -> Float[Tensor, "*d h w"]:
    """L (ln mu + y / mu) at every pixel: -log Gamma(L, mu / L) of y but for terms without mu.

    With u = ln y and v = ln mu it is Fisher and Tippett's L (v - u + exp(u - v)), which differs by L u.

    Args:
        mean: mu, intensities of the model.
        seen: y, intensities of LR.
        looks: L.
    """
    mean = mean.clamp_min(FAINTEST)
    return looks * (mean.log() + seen / mean)


@dataclass(frozen=True)
class SpeckleTerm:
    """Data term of detected images, in place of SSIM and MSE; some pixels of LR are held out of it, to judge by.

    The image network gives decibels between `low` and `high`, so that reflectivity is positive and its logarithm
    what the network varies.

    Args:
        loss: `gamma`, the likelihood; or `mse` of amplitudes, which takes speckle for noise of one level.
        looks: L of the speckle.
        low: dB of intensity, over 1.0's, that the network's 0 stands for.
        high: dB that its 1 stands for.
        roughness: weight of the mean of |difference of ln R|^exponent, summed over a pixel's neighbours; see
            `gradient_penalty`.
        exponent: 1 is total variation, to which an edge is worth the same sharp or blurred; below 1 sharp is cheaper.
        held_out: share of LR pixels that are left out; the iterate that fits these best is the result.

    Raises:
        UserError: no looks, no range, or no share.
    """

    loss: Literal["gamma", "mse"] = "gamma"
    looks: float | int = 1
    low: float | int = -25
    high: float | int = 15
    roughness: float | int = 0.0
    exponent: float | int = 0.5
    held_out: float | int = 0.05

    def __post_init__(self) -> None:
        if self.looks <= 0 or not self.low < self.high or not 0 < self.held_out < 1:
            raise UserError(
                f"{self.looks} looks, {self.low} to {self.high} dB, {self.held_out} held out",
                where="method.term",
                fix="use looks above 0, low below high, and a share such as 0.05",
            )

    def image(self, drawn: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Amplitudes from what the network gave, in (0, 1)."""
        return 10 ** ((self.low + (self.high - self.low) * drawn) / 20)

    def misfit(
        self, out: Float[Tensor, "*b c h w"], lr: Float[Tensor, "*d c h w"], *, held_out: bool = False
    ) -> Float[Tensor, " *e"]:
        """Mean loss per image over the pixels that are fitted, or over those held out.

        Args:
            out: amplitudes of the model.
            lr: of LR.
            held_out: which pixels.
        """
        gamma = self.loss == "gamma"
        each = gamma_nll(out.square(), lr.square(), self.looks) if gamma else (out - lr).square()
        chosen = (self._held_out(lr) == held_out).to(each)
        return (each * chosen).sum((-3, -2, -1)) / chosen.sum((-3, -2, -1))

    def penalty(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, ""] | float:
        """Weighted roughness of amplitudes, summed over images."""
        if self.roughness == 0:
            return 0.0
        log_power = 2 * image.log()
        return self.roughness * gradient_penalty(log_power, float(self.exponent)).sum() / image[0].numel()

    def _held_out(self, lr: Float[Tensor, "*d c h w"]) -> Bool[Tensor, "c h w"]:
        """The same pixels for every image of a size."""
        generator = torch.Generator().manual_seed(0)
        return (torch.rand(lr.shape[-3:], generator=generator) < self.held_out).to(lr.device)
