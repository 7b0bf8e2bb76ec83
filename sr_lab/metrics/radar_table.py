"""The metrics of radar images by name."""

from collections.abc import Callable

from torch import Tensor

from sr_lab.metrics import band, m_index, radar
from sr_lab.metrics.metric import Metric, Need
from sr_lab.metrics.point_target import OVERSAMPLING

_SPECKLED = "Z = HR with its speckle, X = SR, intensity"


def _of_radar(
    measure: Callable[..., Tensor],
    protocol: str,
    unit: str = "",
    *,
    higher_is_better: bool = True,
    needs: tuple[Need, ...] = ("sr", "hr"),
) -> Metric:
    return Metric(
        higher_is_better=higher_is_better,
        unit=unit,
        needs=needs,
        scenes=("sar",),
        protocol=lambda scale: protocol,
        measure=lambda scale, *given: measure(*given),
    )


def _of_ratio(measure: Callable[[radar.Ratio], Tensor], what: str) -> Metric:
    return _of_radar(
        lambda sr, hr: measure(radar.ratio_statistics(sr, hr)),
        f"{what} of the ratio image Z/X, {_SPECKLED}",
        higher_is_better=False,
    )


def _of_target(axis: str, field: str, what: str, unit: str) -> Metric:
    return _of_radar(
        lambda sr, hr: band.target_response(sr, hr, ("azimuth", "range").index(axis), field),
        f"{what} in {axis} of the strongest pixel of HR, complex, interpolated {OVERSAMPLING} times",
        unit,
        higher_is_better=False,
    )


RADAR: dict[str, Metric] = {
    "psnr_db": _of_radar(
        radar.psnr_db, "dB clipped to [p1, p99.9] of HR and scaled to 0..1 by them, border 0, peak 1", "dB"
    ),
    "ssim_db": _of_radar(radar.ssim_db, "the domain of psnr_db, 7x7 uniform window, sample covariance"),
    "psnr_amp": _of_radar(
        radar.psnr_amp, "amplitude over p99.5 of HR, clipped to 0..1, border 0, peak 1", "dB"
    ),
    "ssim_amp": _of_radar(radar.ssim_amp, "the domain of psnr_amp, 7x7 uniform window, sample covariance"),
    "psnr_multilook": _of_radar(
        radar.psnr_multilook,
        "as psnr_db, against HR's intensity averaged over 5x5 px, by percentiles of that",
        "dB",
    ),
    "ssim_multilook": _of_radar(
        radar.ssim_multilook, "the domain of psnr_multilook, 7x7 uniform window, sample covariance"
    ),
    "enl": _of_radar(
        radar.enl, "mean^2/variance of intensity, 99th percentile over blocks of 32x32 px", needs=("sr",)
    ),
    "epi": _of_radar(radar.epi, f"sum of |differences| of neighbours of X over that of Z, {_SPECKLED}"),
    "epd_roa_range": _of_radar(
        lambda sr, hr: radar.epd_roa(sr, hr, -1),
        f"sum of X(p)/X(q) over that of Z, q next in range, {_SPECKLED}",
    ),
    "epd_roa_azimuth": _of_radar(
        lambda sr, hr: radar.epd_roa(sr, hr, -2),
        f"sum of X(p)/X(q) over that of Z, q next in azimuth, {_SPECKLED}",
    ),
    "ratio_mean_error": _of_ratio(lambda ratio: (ratio.mean - 1).abs(), "|mean - 1|"),
    "ratio_variance": _of_ratio(lambda ratio: ratio.variance, "variance (1/L is perfect)"),
    "ratio_correlation": _of_ratio(lambda ratio: ratio.correlation.abs(), "|correlation of neighbours|"),
    "ratio_ks": _of_ratio(
        lambda ratio: ratio.ks,
        "Kolmogorov-Smirnov distance to Gamma(L, 1/L), L = 1 for complex HR, else 1/variance,",
    ),
    "m_index": _of_radar(
        m_index.m_index,
        f"moments of calm blocks of 32x32 px and homogeneity against 10 shuffles, {_SPECKLED}",
        higher_is_better=False,
    ),
    "bias_db": _of_radar(
        lambda sr, hr: radar.bias_db(sr, hr).abs(),
        "|10 log10| of mean intensity of SR over that of HR",
        "dB",
        higher_is_better=False,
    ),
    "block_bias_db": _of_radar(
        lambda sr, hr: radar.block_bias_db(sr, hr).abs(),
        "|median over blocks of 32x32 px of 10 log10 of mean intensity of SR over that of HR|",
        "dB",
        higher_is_better=False,
    ),
    **{
        f"{field.replace('width', 'irw')}_{axis}": _of_target(axis, field, what, unit)
        for field, what, unit in (
            ("width", "width at half power", "px"),
            ("pslr", "highest sidelobe over the peak", "dB"),
            ("islr", "energy of sidelobes within 10 widths over that of the main lobe", "dB"),
        )
        for axis in ("azimuth", "range")
    },
    "in_band_error": _of_radar(
        band.in_band_error,
        "||SR - HR||/||HR|| inside LR's band, complex, one gain fitted there",
        higher_is_better=False,
        needs=("sr", "hr", "inside"),
    ),
    "out_of_band_error": _of_radar(
        band.out_of_band_error,
        "||SR - HR||/||HR|| outside LR's band, complex, gain fitted inside; 1: nothing recovered",
        higher_is_better=False,
        needs=("sr", "hr", "inside"),
    ),
    "consistency_db": _of_radar(
        band.consistency_db,
        "power of LR over that of its difference from SR degraded again, one gain fitted",
        "dB",
        needs=("again", "lr"),
    ),
}
