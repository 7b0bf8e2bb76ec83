"""The metrics by name: what each needs, which way is better, and all of them measured on one batch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.metrics import band, m_index, radar, spectral, thermal
from sr_lab.metrics import kernel as kernels
from sr_lab.metrics.edge import slanted_edge
from sr_lab.metrics.image import AnyImages, aligned_psnr, psnr, ssim
from sr_lab.metrics.perceptual import MetricUnavailable, facts, perceptual
from sr_lab.metrics.point_target import OVERSAMPLING
from sr_lab.metrics.protocol import Protocol

PYIQA = "pyiqa:"
_CUBE = "border 0, not rounded, not clipped, peak 1 = the test image's own scale (its 99.9th percentile)"
_SPECKLED = "Z = HR with its speckle, X = SR, intensity"
Need = Literal[
    "sr", "hr", "kernel", "true_kernel", "band_kernels", "true_band_kernels", "lr", "again", "gain", "inside"
]


@dataclass(frozen=True)
class Metric:
    """Facts of a metric.

    Args:
        higher_is_better: its direction.
        unit: `dB`, `px` and the like, or nothing.
        needs: what it is computed from, in the order that `measure` takes it.
        scenes: the scenes it is meant for.
        protocol: the line for a table, given the scale.
        measure: scale and the needed tensors to one value per image.
        remark: the needed tensors to what must be known of these images' values, or nothing.
    """

    higher_is_better: bool
    unit: str
    needs: tuple[Need, ...]
    scenes: tuple[str, ...]
    protocol: Callable[[int], str]
    measure: Callable[..., Tensor]
    remark: Callable[..., str] = lambda *tensors: ""


@dataclass(frozen=True)
class Measured:
    """Values of one metric, one per image; PSNR of equal images is `inf`, which JSON cannot hold."""

    values: list[float]
    protocol: str
    higher_is_better: bool
    unit: str


@dataclass(frozen=True)
class Evaluation:
    """The values of a batch by metric name; notes on what cannot be had here, remarks on what a value leaves out."""

    measured: dict[str, Measured] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def check_names(names: Iterable[str]) -> None:
    """Refuse metrics that do not exist; pyiqa's are looked up only where it is installed.

    Raises:
        UserError: an unknown name, with the nearest known ones.
    """
    for name in names:
        if name.startswith(PYIQA):
            try:
                facts(name.removeprefix(PYIQA))
            except MetricUnavailable:
                continue
        elif name not in METRICS:
            near = get_close_matches(name, METRICS, n=1)
            raise UserError(
                f"there is no metric called '{name}'",
                where="metrics",
                fix=f"{f'did you mean {near[0]}? ' if near else ''}known: {', '.join(METRICS)}, {PYIQA}NAME",
            )


def evaluate(
    names: Iterable[str],
    *,
    sr: Float[Tensor, "b c h w"],
    scale: int,
    hr: AnyImages | None = None,
    kernel: Float[Tensor, "b 1 k k"] | None = None,
    true_kernel: Float[Tensor, "b 1 m m"] | None = None,
    band_kernels: Float[Tensor, "b bands k k"] | None = None,
    true_band_kernels: Float[Tensor, "b bands m m"] | None = None,
    lr: AnyImages | None = None,
    again: AnyImages | None = None,
    gain: Float[Tensor, " b"] | None = None,
    inside: Callable[[Tensor], Tensor] | None = None,
) -> Evaluation:
    """Measure a batch; metrics whose ground truth or kernel is None are left out without a word.

    Args:
        names: keys of `METRICS`, or `pyiqa:` and a name of pyiqa's.
        sr: restored images in the scene's normalised range, [0, 1].
        scale: s, which sets the border of the image protocols.
        hr: ground truth in [0, 1].
        kernel: estimated kernels.
        true_kernel: true kernels; their size may differ.
        band_kernels: estimated kernels of every band.
        true_band_kernels: true kernels of every band, where they differ.
        lr: LR images.
        again: SR, degraded as HR was; for metrics of which `needs_again` says so.
        gain: file units that 1.0 stands for.
        inside: an HR image to its part within LR's band, where the degradation cuts one.

    Raises:
        UserError: an unknown name, SR and HR of different shapes, or images that a metric cannot take.
    """
    names = list(names)
    check_names(names)
    given = {
        "sr": sr,
        "hr": hr,
        "kernel": kernel,
        "true_kernel": true_kernel,
        "band_kernels": band_kernels,
        "true_band_kernels": true_band_kernels,
        "lr": lr,
        "again": again,
        "gain": gain,
        "inside": inside,
    }
    result = Evaluation()
    for name in names:
        try:
            metric = METRICS.get(name) or _from_pyiqa(name.removeprefix(PYIQA))
            tensors = [tensor for need in metric.needs if (tensor := given[need]) is not None]
            if len(tensors) < len(metric.needs):
                continue
            values = metric.measure(scale, *tensors).tolist()
            remark = metric.remark(*tensors)
        except MetricUnavailable as missing:
            result.notes.append(f"{name} left out: {missing}")
            continue
        if remark:
            result.remarks.append(f"{name}: {remark}")
        result.measured[name] = Measured(values, metric.protocol(scale), metric.higher_is_better, metric.unit)
    return result


def _grey(scale: int) -> Protocol:
    """One channel as it is, by its normalised range."""
    return Protocol("none", scale, "none", 1.0)


def needs_again(names: Iterable[str]) -> bool:
    """Whether any of these metrics wants SR degraded once more."""
    return any("again" in METRICS[name].needs for name in names if name in METRICS)


def _search(scale: int) -> int:
    """How far `psnr_y_aligned` looks: far enough for the s-1 px between the two kernel anchors."""
    return max(1, scale - 1)


def _aligned_protocol(scale: int) -> str:
    reach = _search(scale)
    published = Protocol.published(scale)
    described = replace(published, border=max(published.border, reach + 2)).describe()
    return f"{described}, best shift within {reach} px in steps of 1/4 px"


def _from_pyiqa(name: str) -> Metric:
    known = facts(name)
    return Metric(
        higher_is_better=known.higher_is_better,
        unit="",
        needs=("sr", "hr") if known.needs_hr else ("sr",),
        scenes=("natural", "infrared"),
        protocol=lambda scale: f"pyiqa {known.version}, RGB, border 0, rounded to 8 bit",
        measure=lambda scale, sr, hr=None: perceptual(name, sr, hr),
    )


def _full_reference(
    measure: Callable[[Tensor, Tensor, Protocol], Tensor], protocol: Callable[[int], Protocol], unit: str
) -> Metric:
    return Metric(
        higher_is_better=True,
        unit=unit,
        needs=("sr", "hr"),
        scenes=("natural", "infrared"),
        protocol=lambda scale: protocol(scale).describe(),
        measure=lambda scale, sr, hr: measure(sr, hr, protocol(scale)),
    )


def _of_kernel(
    measure: Callable[..., Tensor],
    protocol: str,
    *,
    unit: str = "dB",
    higher_is_better: bool = True,
    needs: tuple[Need, ...] = ("kernel", "true_kernel"),
    scenes: tuple[str, ...] = ("natural", "hyperspectral", "infrared", "sar"),
) -> Metric:
    return Metric(
        higher_is_better=higher_is_better,
        unit=unit,
        needs=needs,
        scenes=scenes,
        protocol=lambda scale: protocol,
        measure=lambda scale, *tensors: measure(*tensors),
    )


def _of_cube(
    measure: Callable[[Tensor, Tensor], Tensor], what: str, unit: str = "", *, higher_is_better: bool = True
) -> Metric:
    return Metric(
        higher_is_better=higher_is_better,
        unit=unit,
        needs=("sr", "hr"),
        scenes=("hyperspectral",),
        protocol=lambda scale: f"{what}, {_CUBE}",
        measure=lambda scale, sr, hr: measure(sr, hr),
    )


def _thermal(
    measure: Callable[..., Tensor],
    what: str,
    *needs: Need,
    unit: str = "",
) -> Metric:
    in_unit = ", in the file's unit (K where it holds temperatures)" if "gain" in needs else ""
    return Metric(
        higher_is_better=False,
        unit=unit,
        needs=needs,
        scenes=("infrared",),
        protocol=lambda scale: f"{what}{in_unit}",
        measure=lambda scale, *tensors: measure(*tensors),
    )


def _mtf50(scale: int, sr: Tensor) -> Tensor:
    try:
        return sr.new_tensor([slanted_edge(image.mean(0).cpu().numpy()).mtf50 for image in sr])
    except UserError as error:
        raise MetricUnavailable(error.what, error.fix) from error


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


def _left_out(sr: Tensor, hr: Tensor) -> str:
    dark = spectral.dark_bands(hr).sum(1)
    bands = ", ".join(f"{count} of {hr.shape[1]}" for count in dark.tolist() if count)
    return f"{bands} bands with a mean below {spectral.DARK:g} left out" if bands else ""


METRICS: dict[str, Metric] = {
    "psnr_y": _full_reference(psnr, Protocol.published, "dB"),
    "ssim_y": _full_reference(ssim, Protocol.published, ""),
    "psnr_rgb": _full_reference(psnr, Protocol.rgb, "dB"),
    "ssim_rgb": _full_reference(ssim, Protocol.rgb, ""),
    "psnr_y_aligned": Metric(
        higher_is_better=True,
        unit="dB",
        needs=("sr", "hr"),
        scenes=("natural", "infrared"),
        protocol=_aligned_protocol,
        measure=lambda scale, sr, hr: aligned_psnr(sr, hr, Protocol.published(scale), _search(scale)).psnr,
    ),
    "kernel_psnr": _of_kernel(kernels.kernel_psnr, "peak 1, all entries, neither shifted nor scaled"),
    "kernel_psnr_aligned": _of_kernel(
        kernels.aligned_kernel_psnr, "peak 1, all entries, sums scaled to 1, best shift in steps of 1/16 px"
    ),
    "kernel_psnr_zero": _of_kernel(
        kernels.zero_kernel_floor, "kernel_psnr of an all-zero kernel: its floor", needs=("true_kernel",)
    ),
    "kernel_psnr_band": _of_kernel(
        kernels.band_kernel_psnr,
        "kernel_psnr of each band's own kernel, mean over bands",
        needs=("band_kernels", "true_band_kernels"),
        scenes=("hyperspectral",),
    ),
    "kernel_offset": _of_kernel(
        lambda estimate, truth: kernels.centre_of_mass_offset(estimate, truth).norm(dim=1),
        "distance between the centres of mass",
        unit="px",
        higher_is_better=False,
    ),
    "psnr_band": _of_cube(
        spectral.psnr_band, f"mean over bands of each band's PSNR (at most {spectral.MOST:g} dB)", "dB"
    ),
    "psnr_cube": _of_cube(spectral.psnr_cube, "PSNR of the mean squared error over all bands", "dB"),
    "ssim_band": _of_cube(
        spectral.ssim_band, "mean over bands of SSIM, 7x7 uniform window, sample covariance"
    ),
    "sam": _of_cube(
        spectral.sam,
        "mean over pixels of the spectral angle, zero pixels left out",
        "deg",
        higher_is_better=False,
    ),
    "ergas": Metric(
        higher_is_better=False,
        unit="",
        needs=("sr", "hr"),
        scenes=("hyperspectral",),
        protocol=lambda scale: (
            f"100/{scale} root mean over bands of MSE/mean^2, bands with mean below {spectral.DARK:g} left out, {_CUBE}"
        ),
        measure=lambda scale, sr, hr: spectral.ergas(sr, hr, scale),
        remark=_left_out,
    ),
    "psnr_grey": Metric(
        higher_is_better=True,
        unit="dB",
        needs=("sr", "hr"),
        scenes=("infrared",),
        protocol=lambda scale: f"{_grey(scale).describe()}, 1.322 dB below psnr_y of 8-bit files",
        measure=lambda scale, sr, hr: psnr(sr, hr, _grey(scale)),
    ),
    "ssim_grey": Metric(
        higher_is_better=True,
        unit="",
        needs=("sr", "hr"),
        scenes=("infrared",),
        protocol=lambda scale: _grey(scale).describe(),
        measure=lambda scale, sr, hr: ssim(sr, hr, _grey(scale)),
    ),
    "rmse_unit": _thermal(thermal.rmse_unit, "root mean squared error", "sr", "hr", "gain"),
    "hot_spot": _thermal(thermal.hot_spot, "hottest pixel, |SR - HR|", "sr", "hr", "gain"),
    "hot_area": _thermal(thermal.hot_area, "99.9th percentile, |SR - HR|", "sr", "hr", "gain"),
    "drift": _thermal(thermal.drift, "mean, |SR - LR|", "sr", "lr", "gain"),
    "consistency": _thermal(thermal.consistency, "rms of D(SR) - LR", "again", "lr", "gain"),
    "stripes": _thermal(
        thermal.stripes, "spread of column means about their neighbours' in SR, of the range", "sr", unit="%"
    ),
    "mtf50": Metric(
        higher_is_better=True,
        unit="cycles/px",
        needs=("sr",),
        scenes=("infrared",),
        protocol=lambda scale: (
            "frequency of half contrast at the slanted edge of an image of one edge, ISO 12233"
        ),
        measure=_mtf50,
    ),
    "cc": _of_cube(spectral.cc, "mean over bands of Pearson's correlation, constant bands left out"),
    "rmse": _of_cube(spectral.rmse, "root of the mean squared error over all bands", higher_is_better=False),
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
