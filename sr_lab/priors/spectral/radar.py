"""Spectral kernel prior for radar: azimuth and range widths read off one LR image at once, with nothing learned."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.io.complex import as_complex, intensity, is_complex
from sr_lab.priors.spectral import point_spread
from sr_lab.priors.spectral.axis import AxisGaussianBlurs
from sr_lab.priors.spectral.family import Gaussian
from sr_lab.priors.spectral.periodogram import Periodogram
from sr_lab.priors.spectral.prior import Estimate, Spectral, uninformative

# of scenes of sharp edges, whose power falls with the third power of frequency: level, slope and curvature of log P
# over log |f|, three angular harmonics; the level is that of an image of standard deviation `CONTRAST`
SCENE = (-2.8, -3.0, 0.0, 0.0, 0.0, 0.0)
SCENE_SPREAD = (1.0, 0.1, 0.05, 0.15, 0.15, 0.15)
CONTRAST = 0.2
FLOOR_FROM = (
    0.4  # cycles per LR pixel from which on speckle is taken to be all there is, within `FLOOR_SPREAD`
)
FLOOR_SPREAD = 0.3  # of the logarithm
KNOWN_SPREAD = 0.02  # of a floor that the number of looks tells


class SpectralRadar(Spectral):
    """Gaussians along azimuth and range, from the scene's spectrum or from the speckle's.

    Speckle that follows blur and decimation is white, and the scene's spectrum is shaped by |K|^2 above that floor:
    read off the square root of amplitude, whose speckle is about the same on dark and on bright ground. Speckle that
    went through the point spread itself, as in SLCs, tells its width without a scene (see `point_spread`).

    Args:
        looks: L of white speckle, which then is a known share of the image's power; None: its level is read off the
            highest frequencies, where a narrow blur leaves some of the scene.
        speckle: of detected images: `white`, or `correlated` by the point spread; of SLCs it always is.
        temper: weight of the spectrum's likelihood; of the scene's alone.
        caution: by how many of its standard deviations the log-variance is lowered.

    Source: spectrum after Whittle 1953; Siegert relation. The scene's spectrum is this project's own assumption.
    """

    def __init__(
        self,
        looks: float | int | None = None,
        speckle: Literal["white", "correlated"] = "white",
        temper: float = 1.0,
        caution: float = 0.0,
    ) -> None:
        super().__init__(None, temper, caution, AxisGaussianBlurs())
        if looks is not None and looks <= 0:
            raise UserError(f"{looks} looks", where="prior.looks", fix="give a positive number, or null")
        self.looks, self.speckle = looks, speckle
        self._noise: float | None = None  # power of the speckle in the image under way

    def _grey(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """SLCs as they are, detected images as intensity, or stabilised where the scene's spectrum counts."""
        if is_complex(image):
            return image
        power = intensity(image)
        if self.speckle == "correlated":
            return power
        return power.double().pow(0.25)

    def _belief(self, blur: Gaussian, measured: Periodogram) -> Gaussian:
        """A scene of sharp edges over white speckle, whose level the highest frequencies show."""
        if self._noise is not None:
            floor, known = torch.tensor([math.log(self._noise)], dtype=torch.float64), KNOWN_SPREAD
        else:
            far = measured.fy.square() + measured.fx.square() > FLOOR_FROM**2
            floor, known = measured.power[far].mean().log()[None], FLOOR_SPREAD
        spread = torch.tensor((*SCENE_SPREAD, known), dtype=torch.float64)
        mean = torch.cat([blur.mean, torch.tensor(SCENE, dtype=torch.float64), floor])
        return Gaussian(mean, torch.block_diag(blur.precision, torch.diag(spread**-2)))

    def _estimate(self, grey: Float[Tensor, "c h w"], scale: int) -> Estimate:
        slc = is_complex(grey[None])
        if self.speckle == "white" and not slc:
            centred = grey - grey.mean()
            gain = CONTRAST / centred.std().clamp_min(1e-12)
            if self.looks is not None:
                self._noise = float(speckle_power(self.looks) * grey.square().mean() * gain**2)
            return super()._estimate(centred * gain, scale)
        power = intensity(grey[None])[0, 0] if slc else grey[0]
        reason = uninformative(power / power.mean().clamp_min(1e-30))
        if reason:
            return self._typical(scale, reason)
        seen = point_spread.of_slc(as_complex(grey[None])[0]) if slc else point_spread.of_detected(power)
        shape, covariance = point_spread.fit(seen.cpu())
        return Estimate(shape, self._spread(shape, covariance), None, covariance)


def speckle_power(looks: float | int) -> float:
    """Share of the mean square of s = I^(1/4) that speckle of L looks adds: var(n^(1/4)) / E[n^(1/2)].

    s is (mu n)^(1/4); its noise has the local variance mu^(1/2) var(n^(1/4)), its mean square is mu^(1/2) E[n^(1/2)].
    """
    quarter, half = (math.exp(math.lgamma(looks + power) - math.lgamma(looks)) for power in (0.25, 0.5))
    return 1 - quarter**2 / half
