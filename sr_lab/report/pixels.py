"""Arrays to what can be shown: 8-bit levels, whole enlargements, kernels, PNG and JPEG as data addresses."""

import base64
import io
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from PIL import Image, ImageDraw

from sr_lab.report.detail import Region

_MARK = "#3df5ff"  # cyan: neither in magma nor common in photographs


def levels(pixels: Float[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w 3"]:
    """Round [0, 1] to 8-bit RGB; what lies outside is clipped, NaN is black.

    Raises:
        ValueError: other than 1 or 3 channels.
    """
    if pixels.shape[2] not in (1, 3):
        raise ValueError(f"a picture has 1 or 3 channels, not {pixels.shape[2]}")
    scaled = np.fmax(pixels, 0)
    scaled *= 255
    scaled += 0.5
    rounded = np.fmin(scaled, 255, out=scaled).astype(np.uint8)
    return np.broadcast_to(rounded, (*rounded.shape[:2], 3))


def enlarge(
    pixels: Shaped[np.ndarray, "h w *c"], factor: int | tuple[int, int]
) -> Shaped[np.ndarray, "hs ws *c"]:
    """Repeat every pixel `factor` times on both axes, or so many times down and across."""
    down, across = (factor, factor) if isinstance(factor, int) else factor
    return pixels.repeat(down, axis=0).repeat(across, axis=1)


def shrink(pixels: UInt8[np.ndarray, "h w 3"], longest: int) -> UInt8[np.ndarray, "hs ws 3"]:
    """Scale down, with antialiasing, until no side is longer than `longest`."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=3)
    return np.asarray(image)


def kernel_picture(kernel: Float[np.ndarray, "k k"], top: float, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Show weights from 0 (black) to `top`, each as a whole square, and a cross at the centre of mass.

    Args:
        kernel: NaN is black.
        top: weight of the brightest colour.
        size: the picture has at most this side (but a pixel a weight).
    """
    from matplotlib import colormaps

    colours = colormaps["magma"](np.nan_to_num(kernel) / (top or 1), bytes=True)[..., :3]
    cell = max(size // kernel.shape[0], 1)
    image = Image.fromarray(np.ascontiguousarray(enlarge(colours, cell)))
    centre = centre_of_mass(kernel)
    if centre:
        row, column = (round((place + 0.5) * cell) for place in centre)
        draw = ImageDraw.Draw(image)
        for reach, width, colour in ((8, 5, "black"), (7, 3, _MARK)):
            half = width // 2
            draw.rectangle((column - reach, row - half, column + reach, row + half), colour)
            draw.rectangle((column - half, row - reach, column + half, row + reach), colour)
    return np.asarray(image)


def with_frame(pixels: UInt8[np.ndarray, "h w 3"], region: Region, zoom: float) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with a rectangle drawn around a region, in pixels of a picture `zoom` times smaller."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    top, left, height, width = (round(value * zoom) for value in region)
    draw = ImageDraw.Draw(image)
    for inset, thick, colour in ((-3, 5, "black"), (-2, 3, _MARK)):
        box = (left + inset, top + inset, left + width - inset - 1, top + height - inset - 1)
        draw.rectangle(box, outline=colour, width=thick)
    return np.asarray(image)


def centre_of_mass(kernel: Float[np.ndarray, "k k"]) -> tuple[float, float] | None:
    """Row and column, counted from 0 at the centre of the first weight; None without mass."""
    total = kernel.sum()
    if not np.isfinite(total) or total <= 0:
        return None
    rows, columns = np.indices(kernel.shape)
    return float((rows * kernel).sum() / total), float((columns * kernel).sum() / total)


def data_address(pixels: UInt8[np.ndarray, "h w 3"], kind: str = "PNG") -> str:
    """A picture as text that a browser shows without a file; grey pictures take a third.

    Args:
        pixels: RGB.
        kind: `PNG` (exact) or `JPEG` (for overviews).
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if (pixels == pixels[..., :1]).all():
        image = image.convert("L")
    buffer = io.BytesIO()
    options: dict[str, Any] = {"optimize": True} if kind == "PNG" else {"quality": 80}
    image.save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
