"""Zero-shot blind SR: an image prior and a kernel prior optimised together on one LR image (DIP-FKP and kin)."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import nn

from sr_lab.losses.speckle import SpeckleTerm
from sr_lab.methods.joint import Course, ImagePrior, Joint, Update
from sr_lab.priors.base import KernelPrior


class ZeroShot(Joint):
    """One loss, one backward pass and one step of each optimiser an update; options as in `Joint`.

    Source: Liang et al., CVPR 2021, algorithm 1 and the released counts.
    """

    def __init__(
        self,
        prior: KernelPrior,
        backbone: ImagePrior,
        solver: nn.Module | None = None,
        start: KernelPrior | None = None,
        iterations: int = 1000,
        ssim_iterations: int = 80,
        lr: float = 5e-3,
        input_scale: float = 0.1,
        precision: Literal["fp32", "bf16"] = "fp32",
        trace_every: int = 20,
        weight_average: float | None = None,
        patience: int | None = None,
        renormalise: bool = True,
        noise_level: float | None = 0.0,
        term: SpeckleTerm | None = None,
    ) -> None:
        super().__init__(
            prior,
            backbone,
            solver,
            start,
            iterations,
            ssim_iterations,
            lr,
            input_scale,
            precision,
            trace_every,
            weight_average,
            patience,
            renormalise,
            noise_level,
            term,
        )

    def updates(self, course: Course) -> Iterator[Update]:
        """The prior stands still before its `first_update`."""
        iteration = 0
        while True:
            iteration += 1
            moving = course.kernel_adam is not None and iteration >= self.prior.first_update
            image = course.image()
            with torch.set_grad_enabled(moving):
                kernel = self.prior.kernel()
            out = self.degradation(image, kernel)
            losses = self.distance(out, course.sample.lr, iteration)
            total = losses.sum() if self.term is None else losses.sum() + self.term.penalty(image)
            total.backward()
            yield self.shown(losses, out, course.sample.lr), image.detach(), kernel.detach()
            course.step_image()
            if moving and course.kernel_adam is not None:
                course.kernel_adam.step()
                self.prior.zero_grad(set_to_none=True)
            self.prior.after_step()
