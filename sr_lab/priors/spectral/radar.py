"""Spectral kernel prior for radar: azimuth and range widths read off one LR image at once, with nothing learned."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

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


class SpectralRadar(Spectral):
    """Gaussians along azimuth and range, from the scene's spectrum or from the speckle's.

    Speckle that follows blur and decimation is white, and the scene's spectrum is shaped by |K|^2 above that floor:
    read off the square root of amplitude, whose speckle is about the same on dark and on bright ground. Speckle that
    went through the point spread itself, as in SLCs, tells its width without a scene (see `point_spread`).

    Args:
        speckle: of detected images: `white`, or `correlated` by the point spread; of SLCs it always is.
        temper: weight of the spectrum's likelihood; of the scene's alone.
        caution: by how many of its standard deviations the log-variance is lowered.

    Source: spectrum after Whittle 1953; Siegert relation. The scene's spectrum is this project's own assumption.
    """

    def __init__(
        self, speckle: Literal["white", "correlated"] = "white", temper: float = 1.0, caution: float = 0.0
    ) -> None:
        super().__init__(None, temper, caution, AxisGaussianBlurs())
        self.speckle = speckle

    def _grey(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """SLCs as they are, detected images as intensity, or stabilised where the scene's spectrum counts."""
        if is_complex(image):
            return image
        power = intensity(image)
        if self.speckle == "correlated":
            return power
        stable = power.double().pow(0.25)
        stable = stable - stable.mean((2, 3), keepdim=True)
        return stable * (CONTRAST / stable.std((2, 3), keepdim=True).clamp_min(1e-12))

    def _belief(self, blur: Gaussian, measured: Periodogram) -> Gaussian:
        """A scene of sharp edges over white speckle, whose level the highest frequencies show."""
        far = measured.fy.square() + measured.fx.square() > FLOOR_FROM**2
        floor = measured.power[far].mean().log()[None]
        spread = torch.tensor((*SCENE_SPREAD, FLOOR_SPREAD), dtype=torch.float64)
        mean = torch.cat([blur.mean, torch.tensor(SCENE, dtype=torch.float64), floor])
        return Gaussian(mean, torch.block_diag(blur.precision, torch.diag(spread**-2)))

    def _estimate(self, grey: Float[Tensor, "c h w"], scale: int) -> Estimate:
        slc = is_complex(grey[None])
        if self.speckle == "white" and not slc:
            return super()._estimate(grey, scale)
        power = intensity(grey[None])[0, 0] if slc else grey[0]
        reason = uninformative(power / power.mean().clamp_min(1e-30))
        if reason:
            return self._typical(scale, reason)
        seen = point_spread.of_slc(as_complex(grey[None])[0]) if slc else point_spread.of_detected(power)
        shape, covariance = point_spread.fit(seen.cpu())
        return Estimate(shape, self._spread(shape, covariance), None, covariance)
