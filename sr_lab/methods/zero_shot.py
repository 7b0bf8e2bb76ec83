"""Zero-shot blind SR: an image prior and a kernel prior optimised together on one LR image (DIP-FKP and kin)."""

import time
from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from sr_lab.backbones.ops.memory import keep_freed_memory
from sr_lab.backbones.skip import SkipNet, noise_input
from sr_lab.data.sample import Restored, Sample
from sr_lab.errors import UserError
from sr_lab.losses.ssim import ssim
from sr_lab.methods.base import Method
from sr_lab.methods.non_blind import noise_of, solve
from sr_lab.metrics.image import psnr
from sr_lab.metrics.kernel import kernel_psnr
from sr_lab.metrics.protocol import Protocol
from sr_lab.priors.base import KernelPrior

ImagePrior = Callable[..., SkipNet]


class ZeroShot(Method):
    """min over network and kernel code of D(decimate(G(z) (*) k), y), batched over images of one size.

    Args:
        prior: kernel prior.
        backbone: image prior G, called with (images=, generator=) to make one network per image.
        solver: non-blind network that restores once more with the estimated kernel; None returns G(z).
        iterations: image updates.
        ssim_iterations: the first ones use D = 1 - SSIM, the others MSE.
        lr: Adam step size of G.
        input_scale: the fixed input z is U[0, input_scale).
        precision: `bf16` runs G under autocast.
        trace_every: iterations between rows of the trace; the last one is always there.
        weight_average: decay of an average over image iterates that is returned in place of the last one.
        patience: stop after this many iterations without a lower loss (of any image in the batch).
        renormalise: divide the kernel by its sum before the solver.
        noise_level: that the solver is told; None: what the degradation added.

    Source: Liang et al., CVPR 2021, algorithm 1 and the released counts.
    """

    def __init__(
        self,
        prior: KernelPrior,
        backbone: ImagePrior,
        solver: nn.Module | None = None,
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
        super().__init__()
        self.prior, self.backbone, self.solver = prior, backbone, solver
        self.iterations, self.ssim_iterations, self.lr = iterations, ssim_iterations, lr
        self.input_scale, self.precision, self.trace_every = input_scale, precision, trace_every
        self.weight_average, self.patience = weight_average, patience
        self.renormalise, self.noise_level = renormalise, noise_level

    def restore(self, sample: Sample) -> Restored:
        """Optimise, then restore once more with the solver if there is one."""
        started = time.perf_counter()
        image, kernel, trace = self.estimate(sample)
        stages: dict[str, Tensor] = {}
        if self.solver is not None:
            stages["dip"] = image
            noise = noise_of(sample, self.noise_level)
            image = solve(
                self.solver,
                sample.lr,
                kernel,
                sample.scale,
                noise,
                self.degradation.anchor,
                self.renormalise,
                self.degradation.phase,
            )
        return Restored(image, kernel, trace, time.perf_counter() - started, stages)

    def estimate(
        self, sample: Sample
    ) -> tuple[Float[Tensor, "b c hs ws"], Float[Tensor, "b 1 k k"], list[dict[str, Any]]]:
        """The joint optimisation: image and kernel of the last forward pass, and the trace."""
        generators = self.generators(sample)
        size = (sample.lr.shape[-2] * sample.scale, sample.lr.shape[-1] * sample.scale)
        device = sample.lr.device
        if device.type == "cpu":
            keep_freed_memory()
        network = self.backbone(images=len(sample), generator=generators).to(device)
        z = noise_input(generators, network.channels_in, *size, self.input_scale).to(device)
        self.prior.start(sample, self.degradation, generators)
        # fused: one kernel launch a step; same update
        image_adam = torch.optim.Adam(network.parameters(), lr=self.lr, fused=True)
        steppable = self.prior.steppable()
        kernel_adam = torch.optim.Adam(steppable, lr=self.prior.lr, fused=True) if steppable else None
        average: Tensor | None = None
        trace: list[dict[str, Any]] = []
        best, since = torch.inf, 0
        image = kernel = torch.empty(0)
        label = ", ".join(sample.image_ids[:2])
        for iteration in tqdm(range(1, self.iterations + 1), desc=label, leave=False, disable=None):
            moving = kernel_adam is not None and iteration >= self.prior.first_update
            with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                image = network(z)
            image = image.float()
            with torch.set_grad_enabled(moving):
                kernel = self.prior.kernel()
            losses = self._distance(self.degradation(image, kernel), sample.lr, iteration)
            network.zero_grad(set_to_none=True)
            self.prior.zero_grad(set_to_none=True)
            losses.sum().backward()
            loss = losses.detach()
            if not torch.isfinite(loss).all():
                raise UserError(
                    f"the loss of '{label}' is {loss.tolist()} at iteration {iteration}",
                    where="method=zero_shot",
                    fix="lower method.lr or prior.lr, or use precision=fp32",
                )
            if iteration % self.trace_every == 0 or iteration in (1, self.iterations):
                trace.append(self._row(iteration, loss, image.detach(), kernel.detach(), sample))
            if self.weight_average is not None:
                shown = image.detach()
                average = shown.clone() if average is None else average.lerp_(shown, 1 - self.weight_average)
            if iteration < self.iterations:  # the last forward pass is the result
                image_adam.step()
                if moving and kernel_adam is not None:
                    kernel_adam.step()
                self.prior.after_step()
            best, since = (float(loss.mean()), 0) if float(loss.mean()) < best else (best, since + 1)
            if self.patience is not None and iteration > self.ssim_iterations and since >= self.patience:
                trace.append(self._row(iteration, loss, image.detach(), kernel.detach(), sample))
                break
        return (image if average is None else average).detach(), kernel.detach(), trace

    def _distance(self, out: Tensor, lr: Tensor, iteration: int) -> Float[Tensor, " b"]:
        """Data term per image."""
        if iteration <= self.ssim_iterations:
            return 1 - ssim(out, lr)
        return ((out - lr) ** 2).flatten(1).mean(1)

    def _row(
        self, iteration: int, loss: Tensor, image: Tensor, kernel: Tensor, sample: Sample
    ) -> dict[str, Any]:
        """One row of the trace, with figures against the truth where it is known."""
        row: dict[str, Any] = {"iteration": iteration, "loss": loss.tolist()}
        if sample.hr is not None:
            row["psnr_y"] = psnr(image, sample.hr, Protocol.published(sample.scale)).tolist()
        if sample.kernel is not None:
            row["kernel_psnr"] = kernel_psnr(kernel, sample.kernel).tolist()
        return row
