"""Spectral kernel prior: a Gaussian blur read off the LR image itself, in a second, with no image to optimise."""

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.kernel_net import KernelNet, load_kernel_net
from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import to_anchor
from sr_lab.degradation.chain import Degradation
from sr_lab.priors.base import KernelPrior, kernel_size_of
from sr_lab.priors.detail import most_detailed
from sr_lab.priors.spectral.guess import guess
from sr_lab.priors.spectral.luminance import luminance
from sr_lab.priors.spectral.natural import belief, typical_shape
from sr_lab.priors.spectral.periodogram import periodogram
from sr_lab.priors.spectral.shape import render
from sr_lab.priors.spectral.whittle import fit

SMALLEST = 16  # LR pixels a side below which a periodogram has too few frequencies
LARGEST = 1024  # LR pixels a side of the part, the most detailed one, that a larger image is judged by
FLAT = 1.5 / 255  # rms of the luminance about its mean: hardly more than rounding


@dataclass(frozen=True)
class Estimate:
    """One image's blur.

    Args:
        shape: see `spectral.shape`.
        log_variance_sd: standard deviation of the mean log-variance: 0.1 is a width known to 5 %.
        noise: standard deviation of the LR noise, quantisation included; None if it was not fitted.
        informed: False where the image told nothing and the typical kernel stands in.
        covariance: of the shape's error; None where the image told nothing.
    """

    shape: Float[Tensor, " 3"]
    log_variance_sd: float
    noise: float | None
    informed: bool = True
    covariance: Float[Tensor, "3 3"] | None = None


class Spectral(KernelPrior):
    """Gaussian kernels by Whittle's likelihood of the periodogram, about a small network's guess.

    Power spectra fix the directions of a blur but confuse its width with a smooth picture; the network, which looks
    at edges, knows the width better. Each alone is an ablation: `weights: null` or `temper: 0`.

    Args:
        weights: of the KernelNet; None goes by the spectrum alone.
        temper: weight of the spectrum's likelihood; 0 goes by the network alone.
        caution: by how many of its standard deviations the log-variance is lowered: a solver that is told too
            wide a blur rings, one that is told too narrow a blur merely leaves some.

    Source: spectrum after Whittle 1953; both parts are this project's own.
    """

    estimated: Tensor

    def __init__(
        self, weights: str | None = "kernel_net", temper: float = 0.03, caution: float = 1.0
    ) -> None:
        super().__init__()
        self.net: KernelNet | None = None if weights is None else load_kernel_net(weights)
        self.temper, self.caution = temper, caution
        self.estimates: list[Estimate] = []

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Estimate every image's blur; an image that tells nothing gets the typical kernel and a warning."""
        size = kernel_size_of(sample, degradation)
        self.estimates = [
            self._estimate(luminance(most_detailed(lr[None], LARGEST))[0], sample.scale, image_id)
            for lr, image_id in zip(sample.lr, sample.image_ids, strict=True)
        ]
        shapes = torch.stack([estimate.shape for estimate in self.estimates])
        spread = [estimate.log_variance_sd if estimate.informed else 0.0 for estimate in self.estimates]
        shapes[:, 0] -= self.caution * torch.tensor(spread, dtype=shapes.dtype)
        kernels = to_anchor(render(shapes, sample.scale, size), degradation.anchor)
        self.register_buffer("estimated", kernels.to(sample.lr))

    def kernel(self) -> Float[Tensor, "b 1 k k"]:
        """The estimates."""
        return self.estimated

    def _estimate(self, grey: Float[Tensor, "1 h w"], scale: int, image_id: str) -> Estimate:
        reason = uninformative(grey[0])
        if reason:
            warnings.warn(f"'{image_id}' {reason}: a typical kernel is assumed", stacklevel=3)
            return Estimate(typical_shape(scale), 0.6, None, informed=False)
        shape = precision = None
        if self.net is not None:
            shape, precision = guess(self.net.to(grey.device), grey[None], scale)
            if self.temper == 0:
                covariance = torch.linalg.inv(precision)
                return Estimate(shape, float(covariance[0, 0].sqrt()), None, covariance=covariance)
        prior = belief(shape, precision, scale)
        measured = periodogram(grey[0])
        starts = [prior.mean]
        if shape is None:  # wide and narrow: the two valleys of a spectrum's likelihood
            starts = [
                prior.mean + torch.eye(len(prior.mean), dtype=torch.float64)[0] * by for by in (-0.8, 0.3)
            ]
        best = min(
            (fit(measured, scale, prior, start, self.temper) for start in starts), key=lambda f: f.objective
        )
        return Estimate(
            best.parameters[:3],
            float(best.covariance[0, 0].sqrt()),
            float(torch.exp(best.parameters[-1] / 2)),
            covariance=best.covariance[:3, :3],
        )


def uninformative(grey: Float[Tensor, "h w"]) -> str | None:
    """Why an image tells nothing of its blur, or None."""
    if min(grey.shape) < SMALLEST:
        return f"has {grey.shape[1]}x{grey.shape[0]} pixels, fewer than {SMALLEST} a side"
    if float(grey.std(correction=0)) < FLAT:
        return "is flat"
    return None
