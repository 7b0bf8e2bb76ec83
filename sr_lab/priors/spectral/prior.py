"""Spectral kernel prior: the blur read off the LR image itself, in a second, with no image to optimise."""

import math
import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.kernel_net import KernelNet, load_kernel_net
from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import Anchor, to_anchor
from sr_lab.degradation.chain import Degradation
from sr_lab.errors import UserError
from sr_lab.priors.base import KernelPrior, kernel_size_of
from sr_lab.priors.detail import most_detailed
from sr_lab.priors.spectral.family import Family, Gaussian
from sr_lab.priors.spectral.gaussian import GaussianBlurs
from sr_lab.priors.spectral.guess import guess
from sr_lab.priors.spectral.luminance import luminance
from sr_lab.priors.spectral.natural import belief
from sr_lab.priors.spectral.periodogram import Periodogram, Stripes, periodogram
from sr_lab.priors.spectral.whittle import search

SMALLEST = 16  # LR pixels a side below which a periodogram has too few frequencies
LARGEST = 1024  # LR pixels a side of the part, the most detailed one, that a larger image is judged by
FLAT = 1.5 / 255  # rms of the luminance about its mean: hardly more than rounding
STRANGE = (
    1.2  # misfit of the spectrum: above that of blurred photographs, below that of stripes and single tones
)
BEYOND = 3.0  # of its prior's standard deviations: a log-variance that no blur of the family should have
UNSURE = 0.3  # standard deviation of the log-variance above which a person is told


@dataclass(frozen=True)
class Estimate:
    """One image's blur.

    Args:
        shape: numbers of the family; see `spectral.shape` for Gaussian blurs.
        log_variance_sd: standard deviation of the log-variance: 0.1 is a width known to 5 %.
        noise: standard deviation of the LR noise, quantisation included; None if it was not fitted.
        covariance: of the shape's error.
        doubt: why the image told nothing, so that the typical kernel stands in; None if it told something.
    """

    shape: Float[Tensor, " p"]
    log_variance_sd: float
    noise: float | None
    covariance: Float[Tensor, "p p"]
    doubt: str | None = None

    @property
    def informed(self) -> bool:
        """Whether the image told anything."""
        return self.doubt is None


class Spectral(KernelPrior):
    """Kernels of a family by Whittle's likelihood of the periodogram, Gaussian ones about a small network's guess.

    Power spectra fix the directions of a blur but confuse its width with a smooth picture; the network, which looks
    at edges, knows the width better. Each alone is an ablation: `weights: null` or `temper: 0`.

    Args:
        weights: of the KernelNet, which knows Gaussian blurs alone; None goes by the spectrum alone.
        temper: weight of the spectrum's likelihood; 0 goes by the network alone.
        caution: by how many of its standard deviations the log-variance is lowered: a solver that is told too
            wide a blur rings, one that is told too narrow a blur merely leaves some.
        family: that the blur is of; default Gaussian.
        stripes: `columns`, `rows` or `both` of them have levels of their own, as uncooled thermal detectors give; the
            spectrum leaves out the frequencies that they fill.

    Raises:
        UserError: the network or no evidence at all with another family.

    Source: spectrum after Whittle 1953; both parts are this project's own.
    """

    estimated: Tensor

    def __init__(
        self,
        weights: str | None = "kernel_net",
        temper: float = 0.08,
        caution: float = 1.0,
        family: Family | None = None,
        stripes: Stripes | None = None,
    ) -> None:
        super().__init__()
        self.stripes: Stripes | None = stripes
        self.family = GaussianBlurs() if family is None else family
        if weights is not None and not self.is_gaussian:
            raise UserError(
                "the network guesses Gaussian blurs and nothing else",
                where="prior.weights",
                fix="set prior.weights=null, or leave prior.family out",
            )
        if weights is None and temper == 0:
            raise UserError(
                "neither the network nor the spectrum may speak",
                where="prior.temper",
                fix="set prior.temper=0.1, or prior.weights=kernel_net",
            )
        self.net: KernelNet | None = None if weights is None else load_kernel_net(weights)
        self.temper, self.caution = temper, caution
        self.estimates: list[Estimate] = []
        self.window: tuple[int, int, Anchor] = (1, 1, "fkp")  # scale, side and anchor of the kernels

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Estimate every image's blur; an image that tells nothing gets the typical kernel and a warning."""
        size = kernel_size_of(sample, degradation)
        # a family without kernels of this size says so before the work
        self.family.render(self.family.typical(sample.scale)[None], sample.scale, size)
        self.estimates = [
            self._estimate(self._grey(most_detailed(image[None], LARGEST))[0], sample.scale)
            for image in sample.for_kernels
        ]
        for estimate, image_id in zip(self.estimates, sample.image_ids, strict=True):
            if estimate.doubt:
                warnings.warn(f"'{image_id}' {estimate.doubt}: a typical kernel is assumed", stacklevel=2)
            elif estimate.log_variance_sd > UNSURE:
                percent = 100 * math.expm1(estimate.log_variance_sd / 2)
                warnings.warn(
                    f"'{image_id}' shows little of its blur: the width is known to {percent:.0f} %",
                    stacklevel=2,
                )
        self.window = sample.scale, size, degradation.anchor
        kernels = self.lowered(torch.full((len(sample),), self.caution))
        self.register_buffer("estimated", kernels.to(sample.lr))

    @property
    def is_gaussian(self) -> bool:
        """Whether its blurs are Gaussian ones."""
        return isinstance(self.family, GaussianBlurs)

    def kernel(self) -> Float[Tensor, "b 1 k k"]:
        """The estimates."""
        return self.estimated

    def lowered(self, cautions: Float[Tensor, " b"]) -> Float[Tensor, "b 1 k k"]:
        """The kernels with each log-variance lowered by so many of its standard deviations."""
        scale, size, anchor = self.window
        pairs = zip(self.estimates, cautions.tolist(), strict=True)
        shapes = torch.stack([self._cautious(estimate, caution) for estimate, caution in pairs])
        return to_anchor(self.family.render(shapes, scale, size), anchor)

    def uncertainty(self) -> Float[Tensor, " b"]:
        """Standard deviations of the log-variances."""
        return torch.tensor([estimate.log_variance_sd for estimate in self.estimates])

    def _grey(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
        """What the blur is read off."""
        return luminance(image)

    def _belief(self, blur: Gaussian, measured: Periodogram) -> Gaussian:
        """Prior on the shape, the picture's spectrum and the noise."""
        return belief(blur)

    def _estimate(self, grey: Float[Tensor, "1 h w"], scale: int) -> Estimate:
        blur = self.family.prior(scale)
        reason = uninformative(grey[0])
        if reason:
            return self._typical(scale, reason)
        if self.net is not None:
            blur = Gaussian(*guess(self.net.to(grey.device), grey[None], scale))
        if self.temper == 0:
            covariance = torch.linalg.inv(blur.precision)
            return Estimate(blur.mean, self._spread(blur.mean, covariance), None, covariance)
        measured = periodogram(grey[0], stripes=self.stripes)
        prior = self._belief(blur, measured)
        numbers = len(blur.mean)
        starts = [torch.cat([start, prior.mean[numbers:]]) for start in self.family.starts(blur)]
        best = search(measured, scale, self.family, prior, starts, self.temper)
        if best.misfit > STRANGE:
            return self._typical(scale, "has a spectrum that blurred photographs do not have")
        shape, covariance = best.parameters[:numbers], best.covariance[:numbers, :numbers]
        if self._beyond(shape, scale):
            return self._typical(scale, "fits no blur of this family (noise, or far out of focus)")
        noise = float(torch.exp(best.parameters[-1] / 2))
        return Estimate(shape, self._spread(shape, covariance), noise, covariance)

    def _typical(self, scale: int, doubt: str) -> Estimate:
        """What stands in for an estimate."""
        shape, covariance = self.family.typical(scale), torch.linalg.inv(self.family.prior(scale).precision)
        return Estimate(shape, self._spread(shape, covariance), None, covariance, doubt)

    def _beyond(self, shape: Float[Tensor, " p"], scale: int) -> bool:
        """Whether the blur is far wider than those of the family."""
        prior = self.family.prior(scale)
        limit = BEYOND * self._spread(prior.mean, torch.linalg.inv(prior.precision))
        return float(self.family.log_variance(shape) - self.family.log_variance(prior.mean)) > limit

    def _spread(self, shape: Float[Tensor, " p"], covariance: Float[Tensor, "p p"]) -> float:
        """Standard deviation of the log-variance."""
        towards = torch.func.grad(self.family.log_variance)(shape)
        return float(torch.sqrt(towards @ covariance @ towards))

    def _cautious(self, estimate: Estimate, caution: float) -> Float[Tensor, " p"]:
        """The likeliest shape given that its log-variance lies `caution` standard deviations below the mean."""
        if caution == 0 or not estimate.informed:
            return estimate.shape
        towards = torch.func.grad(self.family.log_variance)(estimate.shape)
        return estimate.shape - caution / estimate.log_variance_sd * (estimate.covariance @ towards)


def uninformative(grey: Float[Tensor, "h w"]) -> str | None:
    """Why an image tells nothing of its blur, as far as that shows before the work; or None."""
    if not bool(grey.isfinite().all()):
        return "has pixels that are not numbers"
    if min(grey.shape) < SMALLEST:
        return f"has {grey.shape[1]}x{grey.shape[0]} pixels, fewer than {SMALLEST} a side"
    if float(grey.std(correction=0)) < FLAT:
        return "is flat"
    return None
