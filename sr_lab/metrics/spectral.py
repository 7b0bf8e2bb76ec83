"""Measures of hyperspectral images, in float64, one value per image, over all bands and pixels.

Images are in [0, 1] up to a few bright pixels: nothing is clipped, rounded or left out at the border. The definitions
are those of the SSPSR code and its successors; where theirs give NaN, ours say what is left out instead.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.metrics.image import AnyImages
from sr_lab.metrics.perceptual import MetricUnavailable

MOST = 100.0  # dB that a band restored without error counts
DARK = 1e-4  # mean of a band below which ERGAS, which divides by it, says nothing
WINDOW = 7

Images = Float[Tensor, "b bands h w"]
Scores = Float[Tensor, " b"]


def psnr_band(sr: Images, hr: AnyImages) -> Scores:
    """PSNR of each band with peak 1, averaged over the bands (mPSNR), in dB; a band counts at most `MOST`.

    Args:
        sr: restored images.
        hr: ground truth of the same shape.

    Raises:
        UserError: SR and HR differ in shape, or SR holds NaN or infinity.
    """
    x, y = _pair(sr, hr)
    return _decibel((x - y).square().mean((2, 3))).mean(1)


def psnr_cube(sr: Images, hr: AnyImages) -> Scores:
    """PSNR of the mean squared error over all bands and pixels, with peak 1, in dB; at most `MOST`.

    By the inequality of Jensen never above `psnr_band`, and up to 8 dB below it: the two do not go in one table column.
    Arguments and errors as in `psnr_band`.
    """
    x, y = _pair(sr, hr)
    return _decibel((x - y).square().mean((1, 2, 3)))


def ssim_band(sr: Images, hr: AnyImages) -> Scores:
    """SSIM of each band with scikit-image's defaults, averaged over the bands (mSSIM).

    Windows of 7 x 7 px with equal weights that lie inside the image, sample covariance, data range 1. Arguments and
    errors as in `psnr_band`; also an image smaller than the window.
    """
    x, y = _pair(sr, hr)
    height, width = x.shape[-2:]
    if min(height, width) < WINDOW:
        raise UserError(
            f"SSIM needs {WINDOW} px on each side, this image is {height}x{width}",
            where="metrics",
            fix="use larger images, or leave ssim_band out",
        )
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    var_x = unbiased * (_window_mean(x * x) - mean_x**2)
    var_y = unbiased * (_window_mean(y * y) - mean_y**2)
    covariance = unbiased * (_window_mean(x * y) - mean_x * mean_y)
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return similarity.mean((1, 2, 3))


def sam(sr: Images, hr: AnyImages) -> Scores:
    """Spectral angle between SR and HR, mean over the pixels, in degrees.

    Pixels where HR is zero in every band have no angle and are left out; a pixel that SR alone makes zero counts 90.
    Arguments and errors as in `psnr_band`.

    Raises:
        MetricUnavailable: HR is zero everywhere.
    """
    x, y = _pair(sr, hr)
    length_x, length_y = x.norm(dim=1, keepdim=True), y.norm(dim=1, keepdim=True)
    measured = length_y[:, 0] > 0
    _some(measured.any((1, 2)), "HR is zero in every pixel")
    u = x / length_x.where(length_x > 0, 1.0)
    v = y / length_y.where(length_y > 0, 1.0)
    # exact at small angles, where the cosine is flat; and never out of range
    angle = 2 * torch.atan2((u - v).norm(dim=1), (u + v).norm(dim=1))
    angle = angle.where(length_x[:, 0] > 0, math.pi / 2).where(measured, 0.0)
    return torch.rad2deg(angle.sum((1, 2)) / measured.sum((1, 2)))


def ergas(sr: Images, hr: AnyImages, scale: int) -> Scores:
    """Relative global error: 100 / s times the root of the mean over bands of MSE / (mean of HR)^2.

    Bands of HR with a mean below `DARK` are left out; see `dark_bands`. Arguments and errors as in `psnr_band`.

    Args:
        sr: see there.
        hr: see there.
        scale: s. Many published codes have 4 here whatever the scale was.

    Raises:
        MetricUnavailable: every band is dark.
    """
    x, y = _pair(sr, hr)
    bright = ~dark_bands(hr)
    _some(bright.any(1), f"every band of HR is darker than {DARK:g}")
    relative = (x - y).square().mean((2, 3)) / y.mean((2, 3)).where(bright, 1.0).square()
    return 100 / scale * (relative.where(bright, 0.0).sum(1) / bright.sum(1)).sqrt()


def dark_bands(hr: AnyImages) -> Bool[Tensor, "b bands"]:
    """Which bands `ergas` leaves out."""
    return hr.detach().double().mean((2, 3)) < DARK


def cc(sr: Images, hr: AnyImages) -> Scores:
    """Pearson's correlation of SR and HR over the pixels of each band, averaged over the bands.

    Bands that are constant in HR are left out; one that is constant in SR alone counts 0. Arguments and errors as in
    `psnr_band`.

    Raises:
        MetricUnavailable: every band of HR is constant.
    """
    x, y = _pair(sr, hr)
    varies_x, varies_y = (image.amax((2, 3)) > image.amin((2, 3)) for image in (x, y))
    _some(varies_y.any(1), "every band of HR is constant")
    x, y = x - x.mean((2, 3), keepdim=True), y - y.mean((2, 3), keepdim=True)
    spread = (x.square().sum((2, 3)) * y.square().sum((2, 3))).sqrt()
    counts = varies_x & varies_y & (spread > 0)
    correlation = ((x * y).sum((2, 3)) / spread.where(counts, 1.0)).where(counts, 0.0)
    return correlation.sum(1) / varies_y.sum(1)


def rmse(sr: Images, hr: AnyImages) -> Scores:
    """Root of the mean squared error over all bands and pixels. Arguments and errors as in `psnr_band`."""
    x, y = _pair(sr, hr)
    return (x - y).square().mean((1, 2, 3)).sqrt()


def _pair(sr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
    if sr.shape != hr.shape:
        raise UserError(
            f"SR is {tuple(sr.shape)} and HR is {tuple(hr.shape)} (batch, bands, height, width)",
            where="metrics",
            fix="compare images of one size: crop HR at the bottom and right to a multiple of the scale",
        )
    x, y = sr.detach().double(), hr.detach().double()
    missing = int((~torch.isfinite(x)).sum())
    if missing:
        raise UserError(
            f"{missing} values of the restored image are NaN or infinite",
            where="metrics",
            fix="the method diverged: lower its learning rate",
        )
    return x, y


def _decibel(mse: Tensor) -> Tensor:
    return -10 * torch.log10(mse.clamp_min(10 ** (-MOST / 10)))


def _window_mean(image: Tensor) -> Tensor:
    return F.avg_pool2d(image, WINDOW, stride=1)


def _some(there: Tensor, otherwise: str) -> None:
    if not there.all():
        raise MetricUnavailable(otherwise)
