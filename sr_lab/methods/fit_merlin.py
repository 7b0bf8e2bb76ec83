"""Self-supervised training on complex images: the real part is restored, the imaginary part is the target."""

from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.image_to_image import ImageToImage
from sr_lab.degradation.chain import Degradation, Degraded
from sr_lab.errors import UserError
from sr_lab.io.complex import is_complex
from sr_lab.losses.radar import half_gaussian
from sr_lab.methods.feedforward import TILE
from sr_lab.methods.fit_radar import FitRadar


class FitMerlin(FitRadar):
    """The likelihood of the part that was held back, given the reflectivity found from the other; no clean reference.

    Under fully developed speckle the two parts are independent once the reflectivity is known, if the spectrum is
    symmetric about zero; images are centred when they are read, and `Bandcut` keeps a band whose response is real, so
    that one part of LR is made of one part of HR alone. The parts change roles from step to step. At scale 1 this
    trains a despeckling network.

    Args: as `FitRadar`.

    Source: MERLIN (Dalsasso, Denis and Tupin, TGRS 2021); its use for SR is ours.
    """

    stream = "merlin"

    def __init__(
        self,
        backbone: ImageToImage,
        max_steps: int,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        warmup: int = 100,
        tile: int | None = TILE,
    ) -> None:
        super().__init__(backbone, "parts", max_steps, lr, weight_decay, warmup, tile)

    def loss(
        self, degraded: Degraded, degradation: Degradation, hr: Float[Tensor, "b c p p"]
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood per pixel.

        Raises:
            UserError: LR or HR is detected.
        """
        if not (is_complex(degraded.lr) and is_complex(hr)):
            raise UserError(
                "self-supervision needs both parts of complex images",
                where="degradation.detect",
                fix="use SLCs, with degradation.detect=false and dataset.images.detect=false",
            )
        lr, hr = self.without_margin(degraded.lr, hr)
        given = self.global_step % 2
        log = self.network.of_power(2 * lr[:, [given]].square())
        loss = half_gaussian(log, hr[:, [1 - given]]).mean()
        self.log("nll", loss, prog_bar=True)
        return loss
