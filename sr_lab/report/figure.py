"""The side-by-side picture of one image: whole panels, the same detail of each, and the kernels."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from sr_lab.io.atomic import atomic_write
from sr_lab.report.detail import detailed_region
from sr_lab.report.pixels import centre_of_mass, enlarge, kernel_picture, levels, shrink, with_frame
from sr_lab.report.wording import enlargement, size

# in pixels of the figure
_PANEL = 360
_KERNEL = 220
_GAP = 16
_LINE = 19
_CHARACTER = 7.8
_DPI = 100

_NAMES = {"lr": "LR", "sr": "SR", "hr": "HR", "kernel": "estimated kernel", "true_kernel": "true kernel"}


def side_by_side(
    path: str | Path,
    *,
    lr: Float[np.ndarray, "h w c"],
    bicubic: Float[np.ndarray, "sh sw c"],
    sr: Float[np.ndarray, "sh sw c"],
    hr: Float[np.ndarray, "sh sw c"] | None = None,
    kernel: Float[np.ndarray, "k k"] | None = None,
    true_kernel: Float[np.ndarray, "t t"] | None = None,
    captions: Mapping[str, str] | None = None,
) -> None:
    """Write one PNG with LR, bicubic, SR and HR, a detail of each, and the kernels; whole or not at all.

    The detail is the most varied region of HR, or of `bicubic` if there is none; a frame in the first panel
    shows where it is. Kernels share one colour scale from 0 to the greatest weight; a cross marks the centre
    of mass.

    Args:
        path: file to write.
        lr: in [0, 1], C is 1 or 3; shown enlarged by nearest neighbour.
        bicubic: aligned to the anchor of the degradation; its size is that of `sr`.
        sr: the restored image.
        hr: the ground truth, if known.
        kernel: estimated.
        true_kernel: its size may differ.
        captions: what stands under a panel after its name, by argument name: `{"bicubic": "24.50 dB"}`.

    Raises:
        ValueError: an image with other than 1 or 3 channels.
        UserError: the file cannot be made there.
    """
    height, width = sr.shape[:2]
    factors = (-(-height // lr.shape[0]), -(-width // lr.shape[1]))
    texts = {"lr": f"{size(lr)}, shown {enlargement(factors)}"} | dict(captions or {})
    images = {"bicubic": bicubic, "sr": sr} | ({} if hr is None else {"hr": hr})
    images = {"lr": enlarge(levels(lr), factors)[:height, :width]} | {n: levels(p) for n, p in images.items()}
    fit = _PANEL / max(height, width)
    longest = int(fit) * max(height, width) if fit >= 1 else _PANEL
    zoom = min(max(round(5 * fit), 3), 8)
    region = detailed_region(bicubic if hr is None else hr, longest // zoom)

    page = _Page()
    details, left, bottom = [], _GAP, 0
    for name, pixels in images.items():
        whole = enlarge(pixels, int(fit)) if fit >= 1 else shrink(pixels, _PANEL)
        detail = enlarge(region.cut(pixels), zoom)
        if name == "lr":
            whole = with_frame(whole, region, whole.shape[0] / height)
        page.picture(whole, left, _GAP)
        room = max(whole.shape[1], detail.shape[1])
        bottom = max(bottom, page.caption(_title(name, texts), left, _GAP + whole.shape[0], room))
        details.append((detail, left))
        left += room + _GAP
    for detail, at in details:
        page.picture(detail, at, bottom + _GAP)
    kernels = {"kernel": kernel, "true_kernel": true_kernel}
    _place_kernels(page, {name: value for name, value in kernels.items() if value is not None}, texts, left)
    page.write(path)


def _place_kernels(
    page: "_Page", kernels: Mapping[str, Float[np.ndarray, "_ _"]], texts: Mapping[str, str], left: int
) -> None:
    """Stack them at the right; the first caption tells the colour scale."""
    greatest = max((float(np.nan_to_num(kernel).max()) for kernel in kernels.values()), default=0.0)
    top = _GAP
    for name, kernel in kernels.items():
        shown = kernel_picture(kernel, greatest, _KERNEL)
        page.picture(shown, left, top)
        centre = centre_of_mass(kernel)
        lines = [_title(name, texts), f"colours 0 to {greatest:.3g}"]
        lines += [f"+ centre of mass {centre[0]:.2f}, {centre[1]:.2f}"] if centre else []
        top = page.caption("\n".join(lines), left, top + shown.shape[0], _KERNEL) + _GAP


def _title(name: str, texts: Mapping[str, str]) -> str:
    return f"{_NAMES.get(name, name)}  {texts.get(name, '')}".strip()


@dataclass
class _Page:
    """What goes where, in pixels from the top left corner; drawn when its size is known."""

    pictures: list[tuple[UInt8[np.ndarray, "h w 3"], int, int]] = field(default_factory=list)
    captions: list[tuple[str, int, int]] = field(default_factory=list)
    width: int = 0
    height: int = 0

    def picture(self, pixels: UInt8[np.ndarray, "h w 3"], left: int, top: int) -> None:
        self.pictures.append((pixels, left, top))
        self._reach(left + pixels.shape[1], top + pixels.shape[0])

    def caption(self, text: str, left: int, top: int, width: int) -> int:
        """Write below a picture, wrapped to its width; returns where the text ends."""
        room = max(int(width / _CHARACTER), 12)
        lines = [part for line in text.split("\n") for part in textwrap.wrap(line, room)]
        self.captions += [(line, left, top + 4 + _LINE * i) for i, line in enumerate(lines)]
        bottom = top + 4 + _LINE * len(lines)
        self._reach(left + width, bottom)
        return bottom

    def write(self, path: str | Path) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        width, height = self.width + _GAP, self.height + _GAP
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
        canvas = FigureCanvasAgg(figure)
        for pixels, left, top in self.pictures:
            figure.figimage(pixels, left, height - top - pixels.shape[0], origin="upper")
        for text, left, top in self.captions:
            figure.text(left / width, 1 - top / height, text, size=10.5, va="top", parse_math=False)
        with atomic_write(path) as file:
            canvas.print_png(file, metadata={"Software": None})

    def _reach(self, right: int, bottom: int) -> None:
        self.width, self.height = max(self.width, right), max(self.height, bottom)
