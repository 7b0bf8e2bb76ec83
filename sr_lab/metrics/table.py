"""The metrics by name: what each needs, which way is better, and all of them measured on one batch."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import get_close_matches

from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.metrics import kernel as kernels
from sr_lab.metrics import spectral, thermal
from sr_lab.metrics.edge import slanted_edge
from sr_lab.metrics.image import AnyImages, aligned_psnr, psnr, ssim
from sr_lab.metrics.metric import Evaluation, Measured, Metric, Need
from sr_lab.metrics.perceptual import MetricUnavailable, facts, perceptual
from sr_lab.metrics.protocol import Protocol
from sr_lab.metrics.radar_table import RADAR

PYIQA = "pyiqa:"
_CUBE = "border 0, not rounded, not clipped, peak 1 = the test image's own scale (its 99.9th percentile)"


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
    **{
        f"width_error_{axis}": _of_kernel(
            lambda estimate, truth, number=number: kernels.width_error(estimate, truth, number),
            f"|error| of the standard deviation of the kernel's mass in {axis}",
            unit="%",
            higher_is_better=False,
            scenes=("sar",),
        )
        for number, axis in enumerate(("azimuth", "range"))
    },
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
    **RADAR,
}
