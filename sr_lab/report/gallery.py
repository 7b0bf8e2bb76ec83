"""Pictures for a report: every run's answer to one image side by side, at the same small region."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from sr_lab.report.charts import Chart, Entry, line_class
from sr_lab.report.collection import Run
from sr_lab.report.companions import BASELINE, floor_of, stages_of
from sr_lab.report.detail import Region, detailed_region
from sr_lab.report.files import Files
from sr_lab.report.pixels import (
    centre_of_mass,
    data_address,
    enlarge,
    kernel_picture,
    levels,
    shrink,
    with_frame,
)
from sr_lab.report.table import Column, Row, Table
from sr_lab.report.traces import Trace, draw_charts
from sr_lab.report.wording import enlargement, number, size

MAX_IMAGES = 50
MAX_CHARACTERS = 11_000_000  # of pictures in the page: a mail still takes it
_SIDES = (128, 96)  # of a detail in HR pixels, shown at twice the size; the smaller if there are many
_MANY = 150
_OVERVIEW = 256
_KERNEL = 168
_LINES = 2  # metrics under one picture
_NARROW = 160  # CSS pixels that a caption needs


@dataclass(frozen=True)
class Tile:
    """A picture, its name, its description for those who cannot see it, and the lines under it."""

    title: str
    address: str
    alt: str
    width: int
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Exhibit:
    """All that is shown of one image."""

    image_id: str
    setting: str
    tiles: list[Tile]
    kernels: list[Tile]
    charts: list[Chart]
    legend: list[Entry]
    faults: list[str]

    @property
    def characters(self) -> int:
        """What its pictures add to the page."""
        tiles = sum(len(tile.address) for tile in [*self.tiles, *self.kernels])
        return tiles + sum(len(chart.svg) for chart in self.charts)


@dataclass(frozen=True)
class Gallery:
    """The exhibits in the order of the table, of `total` images."""

    exhibits: list[Exhibit]
    total: int


@dataclass(frozen=True)
class _Shown:
    """The one run of a row that stands for it: the first seed that has the image."""

    row: Row
    run: Run
    style: int

    @property
    def seed(self) -> list[str]:
        return [f"seed {self.run.record.seed}"] if len(self.row.group.runs) > 1 else []

    def scores(self, image: str, columns: Sequence[Column], of: str) -> list[str]:
        """The image's values of the first few metrics of `sr`, `kernel` or `bicubic`."""
        metrics = self.run.record.metrics
        lines = []
        for column in columns:
            is_kernel = column.name.startswith("kernel")
            name = stages_of(column.name, metrics).get(of) if of == BASELINE else column.name
            value = metrics[name].per_image.get(image) if name in metrics else None
            if value is None or is_kernel is not (of == "kernel"):
                continue
            line = f"{column.title} {number(value, column.decimals)} {column.unit}".strip()
            floor = floor_of(column.name, metrics)
            if floor and image in metrics[floor].per_image:
                line += f" (zero kernel {number(metrics[floor].per_image[image], column.decimals)})"
            lines.append(line)
        return lines[:_LINES]


def build_gallery(table: Table) -> Gallery:
    """Cut the pictures of as many images as one file can carry, taking turns between blocks of the table."""
    queues = [[(place, image) for image in _images(block.rows)] for place, block in enumerate(table.blocks)]
    turns = [entry for turn in zip_longest(*queues) for entry in turn if entry]
    tiles = sum(len(table.blocks[place].rows) + 3 for place, _ in turns[:MAX_IMAGES])
    side = _SIDES[tiles > _MANY]
    exhibits: dict[tuple[int, str], Exhibit] = {}
    spent = 0
    for place, image in turns[:MAX_IMAGES]:
        exhibit = _exhibit(image, table.blocks[place].rows, table.columns, side)
        spent += exhibit.characters
        if exhibits and spent > MAX_CHARACTERS:
            break
        exhibits[place, image] = exhibit
    ordered = [exhibits[entry] for queue in queues for entry in queue if entry in exhibits]
    return Gallery(ordered, len(turns))


def _images(block: Sequence[Row]) -> list[str]:
    """Images of which a run of the block left anything to show."""
    left = (run.record.images.items() for row in block for run in row.group.runs)
    return list(
        dict.fromkeys(
            image
            for items in left
            for image, files in items
            if files.sr or files.lr or files.kernel or files.trace
        )
    )


def _exhibit(image: str, block: Sequence[Row], columns: Sequence[Column], side: int) -> Exhibit:
    files = Files()
    shown = list(_representatives(image, block))
    tiles = _tiles(image, shown, columns, side, files)
    kernels = _kernels(image, shown, columns, files)
    found = [
        (one, trace) for one in shown if (trace := files.trace(one.run, one.run.record.images[image].trace))
    ]
    traces: list[tuple[str, int, Trace]] = [(one.row.title, one.style, trace) for one, trace in found]
    legend = [Entry(name, line_class(style)) for name, style, _ in traces] if len(traces) > 1 else []
    return Exhibit(image, block[0].setting, tiles, kernels, draw_charts(traces), legend, files.faults)


def _representatives(image: str, block: Sequence[Row]) -> Iterator[_Shown]:
    for style, row in enumerate(block):
        for run in row.group.runs:
            if image in run.record.images:
                yield _Shown(row, run, style)
                break


def _tiles(
    image: str, shown: Sequence[_Shown], columns: Sequence[Column], side: int, files: Files
) -> list[Tile]:
    """The whole image with a frame, then what is in the frame: LR, bicubic, the answer of every run, HR."""
    named = [(one.run, one.run.record.images[image]) for one in shown]
    inputs = [(run, p) for run, of in named if (p := files.picture(run, of.lr)) is not None]
    lr = inputs[0][1] if inputs else None
    files.faults += [
        f"{run.name} restored another LR image than {inputs[0][0].name}: do not compare them"
        for run, other in inputs[1:]
        if not np.array_equal(other, inputs[0][1])
    ]
    bicubic, hr = (
        next((p for run, of in named if (p := files.picture(run, getattr(of, kind))) is not None), None)
        for kind in ("bicubic", "hr")
    )
    answers = [files.picture(run, of.sr) for run, of in named]
    whole = next((p for p in (hr, bicubic, *answers) if p is not None), None)
    if whole is None:
        whole, hr = lr, None
    if whole is None:
        return []
    down, across = (
        (max(round(whole.shape[axis] / lr.shape[axis]), 1) for axis in (0, 1)) if lr is not None else (1, 1)
    )
    region = detailed_region(whole, side, math.lcm(down, across))
    zoom = max(2, -(-_NARROW // region.width))
    tiles = [_overview(image, whole, region)]

    def add(
        title: str,
        pixels: np.ndarray | None,
        lines: list[str],
        where: Region = region,
        stretched: tuple[int, int] = (1, 1),
    ) -> None:
        if pixels is None:
            return
        cut = enlarge(levels(where.cut(pixels)), stretched)
        if cut.size:
            alt = f"{title}, detail of {image}"
            tiles.append(Tile(title, data_address(cut), alt, zoom * region.width, lines))

    common = math.gcd(down, across)
    lines = [f"{size(lr)}, {enlargement((down, across))}"] if lr is not None else []
    add("LR", lr, lines, region.divided((down, across)), (down // common, across // common))
    add(BASELINE, bicubic, shown[0].scores(image, columns, BASELINE))
    for one, answer in zip(shown, answers, strict=True):
        add(one.row.title, answer, one.scores(image, columns, "sr") + one.seed)
    add("HR", hr, [])
    return tiles


def _overview(image: str, whole: np.ndarray, region: Region) -> Tile:
    small = shrink(levels(whole), _OVERVIEW)
    framed = with_frame(small, region, small.shape[0] / whole.shape[0])
    alt = f"{image}, with a frame around the detail shown"
    return Tile("whole image", data_address(framed, "JPEG"), alt, max(small.shape[1], _NARROW), [size(whole)])


def _kernels(image: str, shown: Sequence[_Shown], columns: Sequence[Column], files: Files) -> list[Tile]:
    """The true kernel and every estimate, on one colour scale."""
    named = [(one, one.run.record.images[image]) for one in shown]
    true = next((k for one, of in named if (k := files.kernel(one.run, of.true_kernel)) is not None), None)
    found = [("true kernel", true, [])] + [
        (
            one.row.title,
            files.kernel(one.run, of.kernel),
            one.scores(image, columns, "kernel") + one.seed,
        )
        for one, of in named
    ]
    kernels = [(title, kernel, lines) for title, kernel, lines in found if kernel is not None]
    greatest = max((float(np.nan_to_num(kernel).max()) for _, kernel, _ in kernels), default=0.0)
    tiles = []
    for title, kernel, lines in kernels:
        picture = kernel_picture(kernel, greatest, _KERNEL)
        centre = centre_of_mass(kernel)
        facts = [f"{size(kernel)}, max {float(kernel.max()):.3g}"]
        facts += [f"centre {centre[0]:.2f}, {centre[1]:.2f}"] if centre else []
        alt = f"{title} of {image}" if title == "true kernel" else f"kernel estimated by {title} for {image}"
        tiles.append(Tile(title, data_address(picture), alt, picture.shape[1], lines + facts))
    return tiles
