"""Spectral kernel prior: the blur read off the LR image itself, in a second, with no image to optimise."""

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.kernel_net import KernelNet, load_kernel_net
from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import to_anchor
from sr_lab.degradation.chain import Degradation
from sr_lab.errors import UserError
from sr_lab.priors.base import KernelPrior, kernel_size_of
from sr_lab.priors.spectral.family import Family, Gaussian
from sr_lab.priors.spectral.gaussian import GaussianBlurs
from sr_lab.priors.spectral.guess import guess
from sr_lab.priors.spectral.luminance import luminance
from sr_lab.priors.spectral.natural import belief
from sr_lab.priors.spectral.periodogram import periodogram
from sr_lab.priors.spectral.whittle import search

SMALLEST = 16  # LR pixels a side below which a periodogram has too few frequencies
FLAT = 1.5 / 255  # rms of the luminance about its mean: hardly more than rounding


@dataclass(frozen=True)
class Estimate:
    """One image's blur.

    Args:
        shape: numbers of the family; see `spectral.shape` for Gaussian blurs.
        precision: of the shape.
        log_variance_sd: standard deviation of the log-variance: 0.1 is a width known to 5 %.
        noise: standard deviation of the LR noise, quantisation included; None if it was not fitted.
        informed: False where the image told nothing and the typical kernel stands in.
    """

    shape: Float[Tensor, " p"]
    precision: Float[Tensor, "p p"]
    log_variance_sd: float
    noise: float | None
    informed: bool = True


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

    Raises:
        UserError: the network or no evidence at all with another family.

    Source: spectrum after Whittle 1953; both parts are this project's own.
    """

    estimated: Tensor

    def __init__(
        self,
        weights: str | None = "kernel_net",
        temper: float = 0.03,
        caution: float = 1.0,
        family: Family | None = None,
    ) -> None:
        super().__init__()
        self.family = GaussianBlurs() if family is None else family
        if weights is not None and not isinstance(self.family, GaussianBlurs):
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

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Estimate every image's blur; an image that tells nothing gets the typical kernel and a warning."""
        size = kernel_size_of(sample, degradation)
        # a family without kernels of this size says so before the work
        self.family.render(self.family.typical(sample.scale)[None], sample.scale, size)
        self.estimates = [
            self._estimate(grey, sample.scale, image_id)
            for grey, image_id in zip(luminance(sample.lr), sample.image_ids, strict=True)
        ]
        shapes = torch.stack([self._cautious(estimate) for estimate in self.estimates])
        kernels = to_anchor(self.family.render(shapes, sample.scale, size), degradation.anchor)
        self.register_buffer("estimated", kernels.to(sample.lr))

    def kernel(self) -> Float[Tensor, "b 1 k k"]:
        """The estimates."""
        return self.estimated

    def _estimate(self, grey: Float[Tensor, "1 h w"], scale: int, image_id: str) -> Estimate:
        blur = self.family.prior(scale)
        reason = uninformative(grey[0])
        if reason:
            warnings.warn(f"'{image_id}' {reason}: a typical kernel is assumed", stacklevel=3)
            shape = self.family.typical(scale)
            return Estimate(shape, blur.precision, self._spread(shape, blur.precision), None, informed=False)
        if self.net is not None:
            blur = Gaussian(*guess(self.net.to(grey.device), grey[None], scale))
        if self.temper == 0:
            return Estimate(blur.mean, blur.precision, self._spread(blur.mean, blur.precision), None)
        prior = belief(blur)
        numbers = len(blur.mean)
        starts = [torch.cat([start, prior.mean[numbers:]]) for start in self.family.starts(blur)]
        best = search(periodogram(grey[0]), scale, self.family, prior, starts, self.temper)
        shape, precision = best.parameters[:numbers], torch.linalg.inv(best.covariance[:numbers, :numbers])
        noise = float(torch.exp(best.parameters[-1] / 2))
        return Estimate(shape, precision, self._spread(shape, precision), noise)

    def _spread(self, shape: Float[Tensor, " p"], precision: Float[Tensor, "p p"]) -> float:
        """Standard deviation of the log-variance."""
        towards = torch.func.grad(self.family.log_variance)(shape)
        return float(torch.sqrt(towards @ torch.linalg.solve(precision, towards)))

    def _cautious(self, estimate: Estimate) -> Float[Tensor, " p"]:
        """The likeliest shape given that its log-variance lies `caution` standard deviations below the mean."""
        if self.caution == 0 or not estimate.informed:
            return estimate.shape
        towards = torch.func.grad(self.family.log_variance)(estimate.shape)
        step = torch.linalg.solve(estimate.precision, towards) / estimate.log_variance_sd
        return estimate.shape - self.caution * step


def uninformative(grey: Float[Tensor, "h w"]) -> str | None:
    """Why an image tells nothing of its blur, or None."""
    if min(grey.shape) < SMALLEST:
        return f"has {grey.shape[1]}x{grey.shape[0]} pixels, fewer than {SMALLEST} a side"
    if float(grey.std(correction=0)) < FLAT:
        return "is flat"
    return None
