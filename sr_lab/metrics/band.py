"""What a restored complex image adds outside LR's band, what it keeps inside, and whether it degrades to LR again."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.io.complex import as_complex, is_complex
from sr_lab.metrics.image import AnyImages
from sr_lab.metrics.perceptual import MetricUnavailable
from sr_lab.metrics.point_target import Response, brightest, point_response

Inside = Callable[[Tensor], Tensor]
Images = Float[Tensor, "b c h w"]
Scores = Float[Tensor, " b"]


def in_band_error(sr: Images, hr: AnyImages, inside: Inside) -> Scores:
    """Error inside LR's band, ||a SR - HR|| / ||HR||: 0 if what was measured is kept.

    One real gain a per image is fitted inside the band, since LR is scaled to the mean intensity of HR.

    Args:
        sr: complex restored images.
        hr: complex ground truth.
        inside: an image's part with LR's frequencies.

    Raises:
        MetricUnavailable: an image is detected.
    """
    x, z, _, _ = _parts(sr, hr, inside)
    return _norm(x - z) / _norm(z)


def out_of_band_error(sr: Images, hr: AnyImages, inside: Inside) -> Scores:
    """Error outside LR's band, ||a SR - HR|| / ||HR||: 1 if nothing is recovered, above 1 if what is there is wrong.

    Arguments, gain and errors as in `in_band_error`.
    """
    _, _, x, z = _parts(sr, hr, inside)
    return _norm(x - z) / _norm(z)


def consistency_db(again: Images, lr: AnyImages) -> Scores:
    """Power of LR over that of its difference from SR degraded again, dB; one gain is fitted, as in `in_band_error`.

    Args:
        again: restored images, degraded without noise.
        lr: what they were restored from.

    Raises:
        MetricUnavailable: the two do not compare.
    """
    if again.shape != lr.shape or not torch.isfinite(again).all():
        raise MetricUnavailable("the restored image cannot be degraded to one like LR")
    known = lr.double()
    residual = (_gain(again.double(), known) * again - known).square().sum((1, 2, 3))
    return 10 * torch.log10(known.square().sum((1, 2, 3)) / residual)


def target_response(sr: Images, hr: AnyImages, axis: int, field: str) -> Scores:
    """Response of the strongest pixel of HR in SR; see `point_response`.

    Args:
        sr: complex restored images.
        hr: ground truth, complex.
        axis: 0 is azimuth, 1 is range.
        field: of `Response`.

    Raises:
        MetricUnavailable: an image is detected, or there is no point target.
    """
    _check(sr, hr)
    try:
        responses: list[Response] = [
            point_response(one, brightest(truth))[axis]
            for one, truth in zip(as_complex(sr), as_complex(hr), strict=True)
        ]
    except UserError as fault:
        raise MetricUnavailable(fault.what) from fault
    return torch.tensor([getattr(response, field) for response in responses], dtype=torch.float64)


def _check(sr: Tensor, hr: Tensor) -> None:
    if not is_complex(sr) or not is_complex(hr):
        raise MetricUnavailable("it needs complex images")
    if sr.shape != hr.shape:
        raise UserError(
            f"SR is {tuple(sr.shape)} and HR is {tuple(hr.shape)}",
            where="metrics",
            fix="compare images of one size: crop HR at the bottom and right to a multiple of the scale",
        )


def _parts(sr: Tensor, hr: Tensor, inside: Inside) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """SR times its gain and HR, inside the band; then outside."""
    _check(sr, hr)
    x, z = sr.detach().double(), hr.detach().double()
    inner, truth = inside(x), inside(z)
    gain = _gain(inner, truth)
    return gain * inner, truth, gain * (x - inner), z - truth


def _gain(image: Tensor, truth: Tensor) -> Float[Tensor, "b 1 1 1"]:
    """The real factor that brings an image nearest to the truth."""
    power = image.square().sum((1, 2, 3), keepdim=True).clamp_min(1e-300)
    return (image * truth).sum((1, 2, 3), keepdim=True) / power


def _norm(image: Tensor) -> Scores:
    return image.square().sum((1, 2, 3)).sqrt()
