"""The common ground of both priors: learn the x2 kernel of each image at the start, derive what was asked."""

from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import Anchor, anchor_centre
from sr_lab.degradation.chain import Degradation
from sr_lab.errors import UserError
from sr_lab.priors.base import KernelPrior, kernel_size_of
from sr_lab.priors.kernelgan.shaping import analytic_x4, recentred, windowed


class CrossScale(KernelPrior):
    """Kernels under which an image, at half its size, has the patches that it has at full size.

    `start` does all the work. Another scale than 2 or 4 has no kernel here: x4 is x2 twice (`analytic_x4`).

    Args:
        lr: Adam step size of the networks.
    """

    scales: ClassVar[tuple[int, ...]] = (2, 4)

    estimated: Tensor

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Learn the kernel of every image in turn.

        Raises:
            UserError: another scale than x2 and x4, an image that is too small, or training that diverged.
        """
        if sample.scale not in self.scales:
            raise UserError(
                f"an image resembles itself at half its size, which gives no kernel for x{sample.scale}",
                where="scale",
                fix="use scale=2 or scale=4, or choose prior=spectral",
            )
        size, anchor = kernel_size_of(sample, degradation), degradation.anchor
        kernels = []
        for lr, image_id, generator in zip(sample.lr, sample.image_ids, generators, strict=True):
            kernel = self.halving(lr[None], image_id, sample.scale, anchor, generator)
            if not torch.isfinite(kernel).all():
                raise UserError(
                    f"training on '{image_id}' diverged",
                    where="prior",
                    fix="lower prior.lr, or change the seed",
                )
            if sample.scale == 4:
                kernel = recentred(analytic_x4(kernel), size, anchor_centre(size, 4, anchor))
            kernels.append(windowed(kernel, size))
        self.register_buffer("estimated", torch.cat(kernels))

    def kernel(self) -> Float[Tensor, "b 1 k k"]:
        """The estimates."""
        return self.estimated

    @abstractmethod
    def halving(
        self,
        image: Float[Tensor, "1 c h w"],
        image_id: str,
        scale: int,
        anchor: Anchor,
        generator: torch.Generator,
    ) -> Float[Tensor, "1 1 k k"]:
        """Learn one image's x2 kernel; `scale` is the one asked for in the end, `anchor` where the kernel lies."""
