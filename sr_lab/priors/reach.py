"""What a kernel flow can make: how likely it holds given kernels, and how near its sphere comes to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from sr_lab.degradation.kernel_files import Placed, place_kernels
from sr_lab.degradation.kernel_pool import fingerprint
from sr_lab.errors import UserError
from sr_lab.metrics.kernel import kernel_psnr, zero_kernel_floor
from sr_lab.priors.flow import KernelFlow, flow_from, scale_of
from sr_lab.weights.store import all_entries, load_weights

STEPS = 100


def nearest(
    flow: KernelFlow, kernels: Float[Tensor, "n 1 k k"], steps: int = STEPS, lr: float = 0.1
) -> Float[Tensor, "n 1 k k"]:
    """The kernels of the flow's sphere that are nearest to given ones in the mean square, by Adam on the code.

    The search starts at the given kernels' own codes, so it may end in a local minimum: a lower bound on what
    the flow can reach.
    """
    with torch.no_grad():
        # half a level: the mean of the noise that the flow has learned with
        start = flow.encode(flow.preprocess(kernels + flow.normalization / (2 * flow.levels)))
    code = (flow.radius * F.normalize(start)).requires_grad_()
    adam = torch.optim.Adam([code], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    best, least = flow.decode(code).detach(), torch.full((len(kernels),), torch.inf)
    for _ in tqdm(range(steps), "nearest kernels", leave=False, disable=None):
        made = flow.decode(code)
        error = (made - kernels).square().sum((1, 2, 3))
        better = error.detach() < least
        best[better], least[better] = made.detach()[better], error.detach()[better]
        adam.zero_grad()
        (error / kernels.square().sum((1, 2, 3))).sum().backward()
        adam.step()
        schedule.step()
        with torch.no_grad():
            code.copy_(flow.radius * F.normalize(code))
    return best


@dataclass(frozen=True)
class Reach:
    """How a flow stands to one kernel.

    Attributes:
        name: of the kernel.
        learned: the flow has seen it in training.
        nll: negative log-likelihood in nats, comparable between kernels of one flow only.
        psnr: kernel PSNR in dB of the nearest kernel on the sphere.
        floor: kernel PSNR of an all-zero estimate.
    """

    name: str
    learned: bool
    nll: float
    psnr: float
    floor: float


@dataclass(frozen=True)
class Evaluation:
    """A flow against a set of kernels; `unfit` names those that its window would cut off or that are damaged."""

    flow: str
    side: int
    scale: int
    rows: list[Reach]
    unfit: list[str]


def evaluate(name: str, path: Path, *, flip: bool = False) -> list[Evaluation]:
    """Evaluate a flow on kernel files, and after it the shipped flow of the same scale.

    Raises:
        UserError: no such flow, or it does not say its scale; no kernel there.
    """
    checkpoint = load_weights(name)
    flow = flow_from(checkpoint, name)
    scale = scale_of(checkpoint, flow)
    if scale is None:
        raise UserError(
            "the checkpoint does not say which scale it serves",
            where=name,
            fix="train it with experiment=train_fkp_files",
        )
    contenders = [(name, checkpoint, flow)]
    shipped = f"fkp_x{scale}"
    if shipped != name and shipped in all_entries():
        other = load_weights(shipped)
        contenders.append((shipped, other, flow_from(other, shipped)))
    largest = max(flow.side for _, _, flow in contenders)
    results = []
    for each, checkpoint, flow in contenders:
        _, placed = place_kernels(path, scale=scale, size=flow.side, flip=flip)
        usable = [item for item in placed if item.kernel is not None]
        learned = set(checkpoint.architecture.get("learned_from", ()))
        rows = _rows(flow.requires_grad_(False), usable, learned, largest) if usable else []
        unfit = [item.name for item in placed if item.kernel is None]
        results.append(Evaluation(each, flow.side, scale, rows, unfit))
    return results


def _rows(flow: KernelFlow, usable: Sequence[Placed], learned: set[str], window: int) -> list[Reach]:
    """Figures per kernel; PSNR is taken over a window that is common to all flows."""
    kernels = torch.stack([torch.from_numpy(item.kernel).float()[None] for item in usable])
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        nll = -flow.log_prob(flow.preprocess(kernels, noise))
    truth = F.pad(kernels, [(window - flow.side) // 2] * 4)
    psnr, floor = kernel_psnr(nearest(flow, kernels), truth), zero_kernel_floor(truth)
    return [
        Reach(item.name, item.stored is not None and fingerprint(item.stored) in learned, *figures)
        for item, *figures in zip(usable, nll.tolist(), psnr.tolist(), floor.tolist(), strict=True)
    ]
