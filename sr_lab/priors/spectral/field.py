"""Spectral kernel field: Gaussian blurs that vary over the image, read off overlapping windows of it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import to_anchor
from sr_lab.degradation.chain import Degradation
from sr_lab.priors.base import KernelField
from sr_lab.priors.detail import edge_scores
from sr_lab.priors.spectral.luminance import luminance
from sr_lab.priors.spectral.periodogram import starts
from sr_lab.priors.spectral.prior import Estimate, Spectral
from sr_lab.priors.spectral.shape import render
from sr_lab.priors.spectral.smooth import CONTENT, Sites, smooth

WINDOW = 96  # LR pixels a side
SMALL_WINDOW = 64  # where three large ones do not fit side by side
MAX_WINDOWS = 8  # an axis: the cost does not grow with the image
NODES = 9  # of the field, an axis
VISIBLE = 0.02  # change of the log-variance over the image below which one kernel does


class SpectralField(Spectral, KernelField):
    """Kernels that vary over the image: `Spectral` on overlapping windows, smoothed about that of the whole image.

    Windows that tell little follow their neighbours, and an image whose windows agree within their errors keeps
    its one kernel.

    Args:
        weights: as in `Spectral`, and so are temper and caution.
        temper: see there.
        caution: see there; by the error of the whole image's estimate.
        content: standard deviation by which what the most detailed window shows misleads its estimate of the
            log-variance, and less detailed ones more; the larger, the smoother the field.
    """

    def __init__(
        self,
        weights: str | None = "kernel_net",
        temper: float = 0.08,
        caution: float = 1.0,
        content: float = CONTENT,
    ) -> None:
        super().__init__(weights, temper, caution)
        self.content = content
        self.nodes = torch.empty(0)  # (b, 3, g, g): shapes from edge to edge of each image
        self.constant: list[float] = []  # probability of each image's blur to be one

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Estimate every image's blur as a whole and where it departs from that."""
        super().start(sample, degradation, generators)
        fields = [
            self._field(image[None], whole, sample.scale)
            for image, whole in zip(sample.for_kernels, self.estimates, strict=True)
        ]
        self.nodes = torch.stack([nodes for nodes, _ in fields])
        self.constant = [constant for _, constant in fields]

    @property
    def varies(self) -> bool:
        """Whether the kernel changes visibly over any image."""
        return bool((self.nodes.amax((2, 3)) - self.nodes.amin((2, 3))).max() > VISIBLE)

    def kernel_at(self, y: float, x: float) -> Float[Tensor, "b 1 k k"]:
        """The kernels at a place, linear between the nodes."""
        place = torch.tensor([2 * x - 1, 2 * y - 1], dtype=self.nodes.dtype)
        shapes = F.grid_sample(
            self.nodes, place.expand(len(self.nodes), 1, 1, 2), padding_mode="border", align_corners=True
        )[:, :, 0, 0]
        scale, size, anchor = self.window
        return to_anchor(render(shapes, scale, size), anchor).to(self.estimated)

    def _field(
        self, lr: Float[Tensor, "1 c h w"], whole: Estimate, scale: int
    ) -> tuple[Float[Tensor, "3 g g"], float]:
        """Shapes at the nodes, lowered by the caution, and the probability that they are one."""
        lowered = self._cautious(whole, self.caution)
        sites = self.sites(lr, scale)
        if sites is None or not whole.informed:
            return lowered[:, None, None].expand(3, NODES, NODES).clone(), 1.0
        height, width = (side / math.hypot(*lr.shape[-2:]) for side in lr.shape[-2:])
        ends = torch.linspace(-0.5, 0.5, NODES, dtype=torch.float64)
        at = torch.cartesian_prod(ends * height, ends * width)
        shapes, constant = smooth(sites, whole.shape, at, self.content)
        return (shapes + (lowered - whole.shape)).T.unflatten(1, (NODES, NODES)), constant

    def sites(self, lr: Float[Tensor, "1 c h w"], scale: int) -> Sites | None:
        """Estimates on the windows that tell something; None if fewer than two do."""
        height, width = lr.shape[-2:]
        side = WINDOW if min(height, width) >= 3 * WINDOW else SMALL_WINDOW
        rows, columns = min(side, height), min(side, width)
        corners, estimates, gradients = [], [], []
        for top, left in _corners(lr, rows, columns):
            grey = luminance(lr[..., top : top + rows, left : left + columns])[0]
            estimate = self._estimate(grey, scale)
            if estimate.informed:
                corners.append((top, left))
                estimates.append(estimate)
                gradients.append(grey.diff(dim=-1).square().mean() + grey.diff(dim=-2).square().mean())
        if len(corners) < 2:
            return None
        corner = torch.tensor(corners, dtype=torch.float64)
        window = torch.tensor([rows, columns], dtype=torch.float64)
        detail = torch.stack(gradients).double().cpu().sqrt()
        shared = (1 - (corner[:, None] - corner).abs() / window).clamp_min(0).prod(-1)
        return Sites(
            (corner + window / 2 - corner.new_tensor([height, width]) / 2) / math.hypot(height, width),
            torch.stack([estimate.shape for estimate in estimates]),
            torch.stack([estimate.covariance for estimate in estimates]),
            shared,
            detail / detail.max(),
        )


def _corners(image: Float[Tensor, "1 c h w"], rows: int, columns: int) -> list[tuple[int, int]]:
    """Windows that overlap by half; of a large image the most detailed one in each of MAX_WINDOWS^2 parts."""
    tops, lefts = starts(image.shape[-2], rows), starts(image.shape[-1], columns)
    scores = edge_scores(image, tops, lefts, rows, columns)
    chosen = []
    for down in torch.arange(len(tops)).tensor_split(min(MAX_WINDOWS, len(tops))):
        for along in torch.arange(len(lefts)).tensor_split(min(MAX_WINDOWS, len(lefts))):
            part = scores[down][:, along]
            row, column = divmod(int(part.argmax()), len(along))
            chosen.append((tops[int(down[row])], lefts[int(along[column])]))
    return chosen
