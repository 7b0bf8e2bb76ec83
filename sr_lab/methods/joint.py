"""What zero-shot methods share: an image network and a kernel prior, optimised together on one LR image."""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from sr_lab.backbones.channelwise import solver_for
from sr_lab.backbones.ops.memory import keep_freed_memory
from sr_lab.backbones.ops.threads import one_thread_if_waking_is_slow
from sr_lab.backbones.skip import SkipNet, noise_input
from sr_lab.data.sample import Restored, Sample
from sr_lab.errors import UserError
from sr_lab.losses.speckle import SpeckleTerm
from sr_lab.losses.ssim import ssim
from sr_lab.methods.base import Method
from sr_lab.methods.non_blind import noise_of, solve
from sr_lab.metrics.image import psnr
from sr_lab.metrics.kernel import kernel_psnr
from sr_lab.metrics.protocol import Protocol
from sr_lab.metrics.spectral import psnr_cube
from sr_lab.priors.base import KernelPrior

ImagePrior = Callable[..., SkipNet]
Update = tuple[Float[Tensor, " b"], Float[Tensor, "b c hs ws"], Float[Tensor, "b 1 k k"]]


@dataclass(frozen=True)
class Course:
    """One joint optimisation under way: the image network with its input, and both optimisers.

    Args:
        kernel_adam: None where the prior has nothing to step.
        precision: of the image network.
        term: what turns its output into an image; None leaves it as it is.
    """

    sample: Sample
    network: SkipNet
    z: Float[Tensor, "b c hs ws"]
    image_adam: torch.optim.Optimizer
    kernel_adam: torch.optim.Optimizer | None
    precision: str
    term: SpeckleTerm | None = None

    def image(self) -> Float[Tensor, "b c hs ws"]:
        """One forward pass of the image network."""
        with torch.autocast(self.z.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            image = self.network(self.z)
        image = image.float()
        return image if self.term is None else self.term.image(image)

    def step_image(self) -> None:
        """One step of the image network, whose gradients are then cleared."""
        with one_thread_if_waking_is_slow():
            self.image_adam.step()
        self.network.zero_grad(set_to_none=True)


class Joint(Method):
    """min over image network G and kernel of D(decimate(G(z) (*) k), y), batched over images of one size.

    What one update is, a subclass says.

    Args:
        prior: kernel prior.
        backbone: image prior G, called with (images=, channels_out=, generator=) to make one network per image.
        solver: non-blind network that restores once more with the estimated kernel; None returns G(z).
        start: a quick estimate (spectral, file, oracle) from which the kernel prior starts; None: as it is drawn.
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
        term: of detected radar images, in place of D. The loss that is shown and that `patience` goes by is then that
            of pixels held out, and the iterate where it is least is the result.
    """

    pictures = True

    def __init__(
        self,
        prior: KernelPrior,
        backbone: ImagePrior,
        solver: nn.Module | None,
        start: KernelPrior | None,
        iterations: int,
        ssim_iterations: int,
        lr: float,
        input_scale: float,
        precision: Literal["fp32", "bf16"],
        trace_every: int,
        weight_average: float | None,
        patience: int | None,
        renormalise: bool,
        noise_level: float | None,
        term: SpeckleTerm | None,
    ) -> None:
        super().__init__()
        self.prior, self.backbone, self.solver, self.start = prior, backbone, solver, start
        self.iterations, self.ssim_iterations, self.lr = iterations, ssim_iterations, lr
        self.input_scale, self.precision, self.trace_every = input_scale, precision, trace_every
        self.weight_average, self.patience = weight_average, patience
        self.renormalise, self.noise_level, self.term = renormalise, noise_level, term

    @abstractmethod
    def updates(self, course: Course) -> Iterator[Update]:
        """Forward, backward, yield the data term per image, the image and the kernel, step; without end.

        What is yielded last is the result, and its step is never made.
        """

    def restore(self, sample: Sample) -> Restored:
        """Optimise, then restore once more with the solver if there is one."""
        started = time.perf_counter()
        image, kernel, trace = self.estimate(sample)
        stages: dict[str, Tensor] = {}
        if self.solver is not None:
            stages["dip"] = image
            noise = noise_of(sample, self.noise_level)
            image = solve(
                solver_for(self.solver, sample),
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
        average: Tensor | None = None
        trace: list[dict[str, Any]] = []
        best, since = torch.inf, 0
        image = kernel = torch.empty(0)
        kept: tuple[Tensor, Tensor, Tensor] | None = None
        label = ", ".join(sample.image_ids[:2])
        counted = tqdm(range(1, self.iterations + 1), desc=label, leave=False, disable=None)
        # the count comes first, so that the updates stop where the count does
        for iteration, (loss, image, kernel) in zip(counted, self.updates(self.begin(sample)), strict=False):
            if not torch.isfinite(loss).all():
                raise UserError(
                    f"the loss of '{label}' is {loss.tolist()} at iteration {iteration}",
                    where="method",
                    fix="lower method.lr or prior.lr, or use method.precision=fp32",
                )
            if self.weight_average is not None:
                average = image.clone() if average is None else average.lerp_(image, 1 - self.weight_average)
            if self.term is not None:
                kept = _better(kept, (loss, image, kernel))
            best, since = (float(loss.mean()), 0) if float(loss.mean()) < best else (best, since + 1)
            stop = self.patience is not None and iteration > self.ssim_iterations and since >= self.patience
            if iteration % self.trace_every == 0 or iteration in (1, self.iterations) or stop:
                trace.append(_row(iteration, loss, image, kernel, sample, self.term is None))
            if stop:
                break
        if kept is not None:
            _, image, kernel = kept
        return image if average is None else average, kernel, trace

    def begin(self, sample: Sample) -> Course:
        """Draw the networks of a sample, and start the prior, from an estimate if there is one."""
        generators = self.generators(sample)
        size = (sample.lr.shape[-2] * sample.scale, sample.lr.shape[-1] * sample.scale)
        device = sample.lr.device
        if device.type == "cpu":
            keep_freed_memory()
        channels = sample.lr.shape[1]
        network = self.backbone(images=len(sample), channels_out=channels, generator=generators).to(device)
        z = noise_input(generators, network.channels_in, *size, self.input_scale).to(device)
        self.prior.start(sample, self.degradation, generators)
        if self.start is not None:
            if self.start.lr:
                raise UserError(
                    "this prior has to be optimised itself, so it is no estimate to start from",
                    where="prior@start",
                    fix="choose a prior that estimates at once: spectral, file, oracle or bicubic",
                )
            self.start.start(sample, self.degradation, generators)
            self.prior.start_from(self.start.kernel().detach())
        # fused: one kernel launch a step; same update
        image_adam = torch.optim.Adam(network.parameters(), lr=self.lr, fused=True)
        steppable = self.prior.steppable()
        kernel_adam = torch.optim.Adam(steppable, lr=self.prior.lr, fused=True) if steppable else None
        return Course(sample, network, z, image_adam, kernel_adam, self.precision, self.term)

    def distance(self, out: Tensor, lr: Tensor, iteration: int) -> Float[Tensor, " b"]:
        """Data term D per image."""
        if self.term is not None:
            return self.term.misfit(out, lr)
        if iteration <= self.ssim_iterations:
            return 1 - ssim(out, lr)
        return ((out - lr) ** 2).flatten(1).mean(1)

    def shown(self, losses: Float[Tensor, " b"], out: Tensor, lr: Tensor) -> Float[Tensor, " b"]:
        """The loss per image that progress is judged by."""
        return (losses if self.term is None else self.term.misfit(out, lr, held_out=True)).detach()


def _better(kept: tuple[Tensor, ...] | None, new: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, image and kernel of whichever has the lower loss, image by image."""
    if kept is not None:
        lower = new[0] < kept[0]
        new = tuple(
            torch.where(lower.view(-1, *[1] * (one.dim() - 1)), one, old)
            for one, old in zip(new, kept, strict=True)
        )
    return new[0], new[1], new[2]


def _row(
    iteration: int, loss: Tensor, image: Tensor, kernel: Tensor, sample: Sample, optical: bool
) -> dict[str, Any]:
    """One row of the trace, with figures against the truth where it is known; a PSNR of optical images alone."""
    row: dict[str, Any] = {"iteration": iteration, "loss": loss.tolist()}
    if sample.hr is not None and optical:
        picture = image.shape[1] in (1, 3)
        measured = (
            psnr(image, sample.hr, Protocol.published(sample.scale))
            if picture
            else psnr_cube(image, sample.hr)
        )
        row["psnr_y" if picture else "psnr_cube"] = measured.tolist()
    if sample.kernel is not None:
        row["kernel_psnr"] = kernel_psnr(kernel, sample.kernel).tolist()
    return row
