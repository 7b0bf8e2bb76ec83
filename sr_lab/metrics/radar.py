"""Measures of radar images, in float64, one value per image, on intensity unless their name says otherwise.

Images are float channels whose squared length is the intensity (`sr_lab.io.complex`), so every measure takes complex
and detected ones, even one of each. Where HR has speckle, no estimate of the scene beneath can match it pixel by pixel:
PSNR against one look saturates near 17 dB, and says little alone.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.io.complex import intensity, is_complex, multilooked
from sr_lab.metrics.image import AnyImages
from sr_lab.metrics.perceptual import MetricUnavailable
from sr_lab.metrics.spectral import psnr_band, ssim_band

BLOCK = 32
LOOKED = 5  # pixels a side that the multilooked reference is averaged over
TINY = 1e-30  # intensity below which an image holds nothing: -300 dB

Images = Float[Tensor, "b c h w"]
Scores = Float[Tensor, " b"]
Powers = Float[Tensor, "b h w"]


class Ratio(NamedTuple):
    """What the ratio image Z / X tells of an estimate X of the scene beneath the speckle of Z.

    Args:
        mean: 1 if the radiometry is kept.
        variance: 1/L if all speckle and nothing else was taken away.
        correlation: of neighbours, mean of both axes; 0 if no structure was taken away.
        ks: distance of Kolmogorov and Smirnov to Gamma(L, 1/L).
    """

    mean: Scores
    variance: Scores
    correlation: Scores
    ks: Scores


def psnr_db(sr: Images, hr: AnyImages) -> Scores:
    """PSNR of decibels, both clipped to [p1, p99.9] of HR and scaled to [0, 1] by them.

    Args:
        sr: restored images.
        hr: ground truth of the same height and width.

    Raises:
        UserError: SR and HR differ in size, or SR holds NaN or infinity.
        MetricUnavailable: HR is constant.
    """
    return psnr_band(*_in_decibels(sr, hr))


def ssim_db(sr: Images, hr: AnyImages) -> Scores:
    """SSIM in the domain of `psnr_db`: windows of 7 x 7 px with equal weights. Errors as there."""
    return ssim_band(*_in_decibels(sr, hr))


def psnr_amp(sr: Images, hr: AnyImages) -> Scores:
    """PSNR of amplitudes, both divided by p99.5 of HR and clipped to [0, 1]. Arguments and errors as in `psnr_db`."""
    return psnr_band(*_in_amplitude(sr, hr))


def ssim_amp(sr: Images, hr: AnyImages) -> Scores:
    """SSIM in the domain of `psnr_amp`: windows of 7 x 7 px with equal weights. Errors as in `psnr_db`."""
    return ssim_band(*_in_amplitude(sr, hr))


def psnr_multilook(sr: Images, hr: AnyImages) -> Scores:
    """PSNR of decibels against HR averaged over 5 x 5 px of intensity, in which most speckle is gone.

    The reference is blurred, so an estimate that is sharper than it loses too: compare it with an estimate that was
    averaged in the same way. Range, arguments and errors as in `psnr_db`, with percentiles of the reference.
    """
    return psnr_band(*_in_decibels(sr, multilooked(hr, LOOKED)))


def ssim_multilook(sr: Images, hr: AnyImages) -> Scores:
    """SSIM in the domain of `psnr_multilook`: windows of 7 x 7 px with equal weights."""
    return ssim_band(*_in_decibels(sr, multilooked(hr, LOOKED)))


def enl(sr: Images) -> Scores:
    """Equivalent number of looks, mean^2 / variance, of the calmest blocks: the 99th percentile over 32 x 32 px.

    Raises:
        MetricUnavailable: no block fits, or all are constant.
    """
    blocks = in_blocks(_power(sr))
    variance = blocks.var(-1, correction=0)
    looks = blocks.mean(-1).square() / variance.where(variance > 0, 1.0)
    scores = []
    for one, varies in zip(looks, variance > 0, strict=True):
        if not varies.any():
            raise MetricUnavailable("every block is constant")
        scores.append(percentile(one[varies][None], 99)[0])
    return torch.stack(scores)


def epi(sr: Images, hr: AnyImages) -> Scores:
    """Edge preservation index: sum of absolute differences of neighbours in SR over that in HR; 1 keeps all edges.

    Speckle has edges too, so against single-look HR a smooth estimate is far below 1. Arguments and errors as in
    `psnr_db`.
    """
    x, z = powers_of(sr, hr)
    total = [sum(image.diff(dim=axis).abs().sum((1, 2)) for axis in (1, 2)) for image in (x, z)]
    return torch.as_tensor(total[0]) / torch.as_tensor(total[1])


def epd_roa(sr: Images, hr: AnyImages, axis: int) -> Scores:
    """Edge preservation degree by the ratio of averages: sum of X(p)/X(q) over that of Z(p)/Z(q), q the next pixel.

    Pixels whose neighbour is 0 in either image are left out. Arguments and errors as in `psnr_db`.

    Args:
        sr: X.
        hr: Z.
        axis: -1 compares along range (HD), -2 along azimuth (VD).
    """
    x, z = powers_of(sr, hr)
    length = x.shape[axis] - 1
    first, second = ((image.narrow(axis, 0, length), image.narrow(axis, 1, length)) for image in (x, z))
    counts = (first[1] > 0) & (second[1] > 0)
    ratio = [(p / q.where(counts, 1.0)).where(counts, 0.0).sum((1, 2)) for p, q in (first, second)]
    return ratio[0] / ratio[1]


def ratio_statistics(sr: Images, hr: AnyImages, looks: float | None = None) -> Ratio:
    """Statistics of the ratio image HR / SR, over the pixels where SR is not 0. Errors as in `psnr_db`.

    Args:
        sr: estimate of the scene without speckle.
        hr: image with speckle.
        looks: L; None: 1 for a complex HR, else 1 / variance of the ratio itself.
    """
    if looks is None and is_complex(hr):
        looks = 1.0
    found = [_ratio(x, z, looks) for x, z in zip(*powers_of(sr, hr), strict=True)]
    return Ratio(*(torch.stack(values) for values in zip(*found, strict=True)))


def bias_db(sr: Images, hr: AnyImages) -> Scores:
    """Radiometric bias: 10 log10 of the mean of SR over the mean of HR; 0 keeps it. Errors as in `psnr_db`."""
    x, z = powers_of(sr, hr)
    return 10 * torch.log10(x.mean((1, 2)) / z.mean((1, 2)))


def block_bias_db(sr: Images, hr: AnyImages) -> Scores:
    """Median over 32 x 32 px of the bias of each block, dB: not ruled by a few bright targets.

    Raises:
        MetricUnavailable: no block fits.
    """
    x, z = (in_blocks(image).mean(-1).clamp_min(TINY) for image in powers_of(sr, hr))
    return percentile(10 * torch.log10(x / z), 50)


def _ratio(x: Float[Tensor, "h w"], z: Float[Tensor, "h w"], looks: float | None) -> tuple[Tensor, ...]:
    counts = x > 0
    r = (z / x.where(counts, 1.0)).where(counts, 0.0)
    values = r[counts].sort().values
    mean, variance = values.mean(), values.var(correction=0)
    centred = (r - mean).where(counts, 0.0)
    lags = [(centred[1:] * centred[:-1]).sum() / (counts[1:] & counts[:-1]).sum()]
    lags += [(centred[:, 1:] * centred[:, :-1]).sum() / (counts[:, 1:] & counts[:, :-1]).sum()]
    shape = torch.as_tensor(looks, dtype=torch.float64) if looks else 1 / variance
    expected = torch.special.gammainc(shape.expand_as(values).contiguous(), shape * values)
    steps = torch.arange(len(values) + 1, dtype=torch.float64, device=values.device) / len(values)
    ks = torch.maximum((steps[1:] - expected).max(), (expected - steps[:-1]).max())
    return mean, variance, sum(lags) / (2 * variance), ks


def _power(image: Tensor) -> Powers:
    return intensity(image.detach().double())[:, 0]


def powers_of(sr: Tensor, hr: Tensor) -> tuple[Powers, Powers]:
    """Intensities of SR and HR, in float64.

    Raises:
        UserError: they differ in size, or SR holds NaN or infinity.
        MetricUnavailable: HR is constant.
    """
    if (len(sr), *sr.shape[-2:]) != (len(hr), *hr.shape[-2:]):
        raise UserError(
            f"SR is {tuple(sr.shape)} and HR is {tuple(hr.shape)} (batch, channels, height, width)",
            where="metrics",
            fix="compare images of one size: crop HR at the bottom and right to a multiple of the scale",
        )
    x, z = _power(sr), _power(hr)
    missing = int((~torch.isfinite(x)).sum())
    if missing:
        raise UserError(
            f"{missing} values of the restored image are NaN or infinite",
            where="metrics",
            fix="the method diverged: lower its learning rate",
        )
    if (z.amax((1, 2)) == z.amin((1, 2))).any():
        raise MetricUnavailable("HR is constant")
    return x, z


def _in_decibels(sr: Tensor, hr: Tensor) -> tuple[Images, Images]:
    x, z = (10 * torch.log10(power.clamp_min(TINY)) for power in powers_of(sr, hr))
    low, high = (percentile(z.flatten(1), q)[:, None, None, None] for q in (1, 99.9))
    return _scaled(x, low, high), _scaled(z, low, high)


def _in_amplitude(sr: Tensor, hr: Tensor) -> tuple[Images, Images]:
    x, z = (power.sqrt() for power in powers_of(sr, hr))
    high = percentile(z.flatten(1), 99.5)[:, None, None, None]
    return _scaled(x, 0 * high, high), _scaled(z, 0 * high, high)


def _scaled(image: Tensor, low: Tensor, high: Tensor) -> Images:
    return ((image[:, None] - low) / (high - low).clamp_min(TINY)).clamp(0, 1)


def percentile(values: Float[Tensor, "b n"], q: float | int) -> Scores:
    """As NumPy's; torch.quantile refuses more than 16 million values."""
    place = q / 100 * (values.shape[1] - 1)
    below = int(place)
    ordered = values.sort(1).values
    above = ordered[:, min(below + 1, values.shape[1] - 1)]
    return torch.lerp(ordered[:, below], above, place - below)


def in_blocks(power: Powers) -> Float[Tensor, "b n p"]:
    """Blocks of 32 x 32 px side by side from the top left, as rows of values."""
    if min(power.shape[-2:]) < BLOCK:
        raise MetricUnavailable(f"no block of {BLOCK}x{BLOCK} px fits")
    return F.unfold(power[:, None], BLOCK, stride=BLOCK).transpose(1, 2)
