"""DIP-DKP: zero-shot blind SR whose kernel network learns from the image and from random kernels in turn."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.backbones.ops.threads import one_thread_if_waking_is_slow
from sr_lab.data.sample import Sample
from sr_lab.errors import UserError
from sr_lab.losses.gradient import gradient_penalty
from sr_lab.losses.speckle import SpeckleTerm
from sr_lab.methods.joint import Course, ImagePrior, Joint, Update
from sr_lab.priors.base import KernelPrior
from sr_lab.priors.dkp import DKP, focal_weights


class DipDkp(Joint):
    """Every `inner` image updates a step towards random kernels, every `kernel_every` one on the data term.

    Args:
        prior, backbone, solver, start: as in `Joint`; the prior is the one that draws random kernels.
        iterations: image updates.
        ssim_iterations: the first ones use D = 1 - SSIM, the others MSE. Published: 405, since 80 was compared
            with the count of outer iterations, 81 of them of 5 updates.
        inner: image updates between steps towards random kernels.
        kernel_every: image updates between steps on the data term, which sum its gradients since the last one.
        discard: forget, as published, the gradients that wait when a step towards random kernels comes: with
            5 and 3 those of 201 among 1000 updates. False keeps them.
        samples: random kernels a step; 0 makes no such step.
        warm_up: steps towards one random kernel each, before the first image update of a cold start.
        gradient_weight, gradient_exponent: of the penalty on the image; see `gradient_penalty`.
        lr, input_scale, precision, trace_every, weight_average, patience, renormalise, noise_level: as in `Joint`,
            and so is term, by which random kernels are then weighed too.

    Source: Yang et al., CVPR 2024; loop and counts of the released code. One blur and one backward pass serve image
    and kernel, and one forward pass serves the random kernels and the update that follows: all as published,
    in less work.
    """

    prior: DKP

    def __init__(
        self,
        prior: DKP,
        backbone: ImagePrior,
        solver: nn.Module | None = None,
        start: KernelPrior | None = None,
        iterations: int = 1000,
        ssim_iterations: int = 405,
        inner: int = 5,
        kernel_every: int = 3,
        discard: bool = True,
        samples: int = 5,
        warm_up: int = 200,
        gradient_weight: float = 2e-4,
        gradient_exponent: float = 0.67,
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
        if min(inner, kernel_every) < 1:
            raise UserError(
                f"a step every {min(inner, kernel_every)} updates",
                where="method.inner" if inner < 1 else "method.kernel_every",
                fix="use 1 or more; 5 and 3 as published",
            )
        self.inner, self.kernel_every, self.discard = inner, kernel_every, discard
        self.samples, self.warm_up = samples, warm_up
        self.gradient_weight, self.gradient_exponent = gradient_weight, gradient_exponent

    def begin(self, sample: Sample) -> Course:
        """Besides, warm the kernel network up, unless an estimate has done that."""
        course = super().begin(sample)
        if self.start is not None or self.warm_up == 0:
            return course
        for kernels in self.prior.draw(self.warm_up).split(1, dim=1):
            with self._kernel_step(course):
                self.prior.distance(kernels).sum().backward()
        return course

    def updates(self, course: Course) -> Iterator[Update]:
        """The kernel stands still before the prior's `first_update`."""
        lr, slope, iteration = course.sample.lr, None, 0
        while True:
            iteration += 1
            moving = iteration >= self.prior.first_update
            image = course.image()
            if moving and (iteration - 1) % self.inner == 0:
                if self.samples:
                    self._step_to_random(course, image.detach())
                slope = None if self.discard else slope
            with torch.no_grad(), one_thread_if_waking_is_slow():
                kernel = self.prior.kernel()
            kernel.requires_grad_(moving)
            out = self.degradation(image, kernel)
            losses = self.distance(out, lr, iteration)
            total = losses.sum() if self.term is None else losses.sum() + self.term.penalty(image)
            if self.gradient_weight:
                penalty = gradient_penalty(image, self.gradient_exponent).sum() / lr[0].numel()
                total = total + self.gradient_weight * penalty
            total.backward()
            if kernel.grad is not None:
                slope = kernel.grad if slope is None else slope + kernel.grad
            yield self.shown(losses, out, lr), image.detach(), kernel.detach()
            course.step_image()
            if slope is not None and iteration % self.kernel_every == 0:
                with self._kernel_step(course):
                    self.prior.kernel().backward(slope)
                slope = None

    def _step_to_random(self, course: Course, image: Float[Tensor, "b c hs ws"]) -> None:
        """One step towards random kernels, weighted by how well each explains the LR image with this image."""
        kernels, lr = self.prior.draw(self.samples), course.sample.lr
        out = self.degradation(image, kernels.flatten(0, 1)[:, None]).unflatten(0, kernels.shape[:2])
        cost = (
            (out - lr[:, None]).square().mean((2, 3, 4))
            if self.term is None
            else self.term.misfit(out, lr[:, None])
        )
        weights = focal_weights(cost)
        with self._kernel_step(course):
            (weights * self.prior.distance(kernels)).sum().backward()

    @contextmanager
    def _kernel_step(self, course: Course) -> Iterator[None]:
        """A step of the kernel network with the gradients that are made inside."""
        assert course.kernel_adam is not None
        with one_thread_if_waking_is_slow():
            yield
            course.kernel_adam.step()
            self.prior.add_noise()
        self.prior.zero_grad(set_to_none=True)
