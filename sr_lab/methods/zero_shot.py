"""Zero-shot blind SR: an image prior and a kernel prior optimised together on one LR image (DIP-FKP and kin)."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import nn

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
            losses = self.distance(self.degradation(image, kernel), course.sample.lr, iteration)
            losses.sum().backward()
            yield losses.detach(), image.detach(), kernel.detach()
            course.step_image()
            if moving and course.kernel_adam is not None:
                course.kernel_adam.step()
                self.prior.zero_grad(set_to_none=True)
            self.prior.after_step()
