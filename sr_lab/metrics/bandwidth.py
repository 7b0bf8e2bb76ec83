"""How much of its pixel grid an image uses: files that were enlarged before are no ground truth."""

import numpy as np
from jaxtyping import Float64, Shaped

SHARE = 0.98  # of the gradients' power that lies below the bandwidth
_RINGS = 64
_CENTRES = (np.arange(_RINGS) + 0.5) / _RINGS  # of the rings, Nyquist is 1


def bandwidth(image: Shaped[np.ndarray, "h w"]) -> float:
    """Frequency below which 98% of the power of an image's gradients lies, as a part of Nyquist; 0 for a flat image.

    Scenes have spectra of about 1/f^2, so their gradients have power at all frequencies alike, and a sharp image comes
    near 1. One that was enlarged s times comes near 1 / s, and so does one that is blurred as much: the figure does not
    tell interpolation from soft optics, but either way a network learns no finer detail from it. White noise counts as
    detail, and so do the steps of repeated pixels and, in noisy images, the kinks of linear interpolation.

    Args:
        image: levels as stored, 32 px a side or more: the power of their rounding (1/12) is taken off.
    """
    gradients = np.cumsum(_CENTRES**2 * _ring_power(np.asarray(image, np.float64)))
    if gradients[-1] == 0:
        return 0.0
    return float(np.interp(SHARE, gradients / gradients[-1], _CENTRES)) / SHARE


def _ring_power(image: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, " n"]:
    """Mean power in rings of the plane of frequencies up to Nyquist, without that of rounding."""
    height, width = image.shape
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    varying = (image - (image * window).sum() / window.sum()) * window
    power = np.abs(np.fft.fft2(varying)) ** 2 / (window**2).sum()
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    ring = np.minimum((2 * _RINGS * radius).astype(int), _RINGS).ravel()
    total, count = np.bincount(ring, power.ravel(), _RINGS + 1), np.bincount(ring, minlength=_RINGS + 1)
    return np.maximum(total[:_RINGS] / np.maximum(count[:_RINGS], 1) - 1 / 12, 0)
