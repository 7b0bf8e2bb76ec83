"""Non-blind restoration: one pass of a solver with a kernel that is known or assumed, or with a field of them."""

import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.backbones.channelwise import solver_for
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.chain import Degradation
from sr_lab.errors import UserError
from sr_lab.methods.base import Method
from sr_lab.methods.refine import refined
from sr_lab.methods.tiles import Tile, restored_rows
from sr_lab.priors.base import KernelField, KernelPrior
from sr_lab.priors.spectral.prior import Spectral


class NonBlind(Method):
    """SR by a trained non-blind network, given the kernel of a prior that needs no optimisation.

    Channels that are not the solver's colours are restored one by one.

    Args:
        prior: oracle, bicubic, file or spectral; where the kernels of a spectral_field vary, the image is restored
            in tiles that fade into each other. Tiles also where the degradation's boundary is not the circular one
            of the solver, which would cost decibels.
        solver: network called with (lr, kernel, scale, noise_level).
        renormalise: divide the kernel by its sum first.
        noise_level: that the solver is told; None: what the degradation added.
        refine: weight of what the solver leaves unexplained in the choice of the kernel's width, with prior=spectral;
            0 takes the estimate as it is. See `refine`.

    Raises:
        UserError: refine with a prior that does not say how sure it is.
    """

    pictures = True

    def __init__(
        self,
        prior: KernelPrior,
        solver: nn.Module,
        renormalise: bool = False,
        noise_level: float | None = None,
        refine: float = 0.0,
    ) -> None:
        super().__init__()
        if refine and not isinstance(prior, Spectral):
            raise UserError(
                f"{type(prior).__name__} does not say how sure it is, so there is nothing to refine",
                where="method.refine",
                fix="set method.refine=0, or choose prior=spectral",
            )
        self.prior, self.solver = prior, solver
        self.renormalise, self.noise_level, self.refine = renormalise, noise_level, refine

    def restore(self, sample: Sample) -> Restored:
        """Look the kernel up and solve."""
        started = time.perf_counter()
        self.prior.start(sample, self.degradation, self.generators(sample))
        noise = noise_of(sample, self.noise_level)
        solver = solver_for(self.solver, sample)
        kernel = self.prior.kernel().detach()
        if self.refine and isinstance(self.prior, Spectral):

            def restore(lr: Tensor, kernel: Tensor) -> Tensor:
                where = self.degradation.anchor, self.renormalise, self.degradation.phase
                return solve(solver, lr, kernel, sample.scale, noise, *where)

            kernel = refined(restore, self.prior, sample.lr, self.degradation, self.refine)
        field = self.prior if isinstance(self.prior, KernelField) and self.prior.varies else None
        sr = restored(solver, sample, field or kernel, noise, self.degradation, self.renormalise)
        seconds = time.perf_counter() - started
        return Restored(sr, kernel, seconds=seconds, uncertainty=self.prior.uncertainty())


def restored(
    solver: nn.Module,
    sample: Sample,
    kernel: Float[Tensor, "b 1 k k"] | KernelField,
    noise_level: Float[Tensor, " b"],
    degradation: Degradation,
    renormalise: bool = True,
) -> Float[Tensor, "b c hs ws"]:
    """Whole images, in tiles where the blur varies or the degradation has not the solver's circular boundary.

    Args:
        solver: see `NonBlind`.
        sample: LR images.
        kernel: at the anchor of the degradation.
        noise_level: standard deviation of the LR noise.
        degradation: that the images went through.
        renormalise: divide kernels by their sums first.
    """
    lr, scale = sample.lr, sample.scale
    if isinstance(kernel, Tensor) and degradation.boundary == "circular":
        return solve(
            solver, lr, kernel, scale, noise_level, degradation.anchor, renormalise, degradation.phase
        )
    rows = restored_in_tiles(solver, lr, kernel, scale, noise_level, degradation, renormalise=renormalise)
    return torch.cat(list(rows), -2)


def noise_of(sample: Sample, told: float | None) -> Float[Tensor, " b"]:
    """Noise level per image that a solver is told: a fixed one, else what is known of the sample, else 0."""
    if told is not None:
        return torch.full((len(sample),), told, device=sample.lr.device)
    return sample.noise_level if sample.noise_level is not None else sample.lr.new_zeros(len(sample))


@torch.no_grad()
def solve(
    solver: nn.Module,
    lr: Float[Tensor, "b c h w"],
    kernel: Float[Tensor, "b 1 k k"],
    scale: int,
    noise_level: Float[Tensor, " b"],
    anchor: Anchor,
    renormalise: bool = True,
    phase: int = 0,
) -> Float[Tensor, "b c hs ws"]:
    """Run a solver that was trained at the `fkp` anchor and phase 0 on a kernel of either convention.

    A `block_center` kernel is moved s-1 px up and left, which makes the solver restore the image moved
    likewise; the result is rolled back. No kernel mass is lost, since the window grows with the move.
    Decimation from another `phase` on is a move of the image too.
    """
    if renormalise:
        kernel = kernel / kernel.sum((-2, -1), keepdim=True)
    move = 0 if anchor == "fkp" else scale - 1
    moved = F.pad(kernel, (0, 2 * move, 0, 2 * move))  # the middle moves by +move, so the content by -move
    sr = solver(lr, moved, scale, noise_level)
    return torch.roll(sr, (move + phase, move + phase), (-2, -1))


def restored_in_tiles(
    solver: nn.Module,
    lr: Float[Tensor, "b c h w"],
    kernel: Float[Tensor, "b 1 k k"] | KernelField,
    scale: int,
    noise_level: Float[Tensor, " b"],
    degradation: Degradation,
    *,
    renormalise: bool = True,
    label: str | None = None,
) -> Iterator[Float[Tensor, "b c rows ws"]]:
    """`solve` tile by tile with the kernel of each tile's middle, a row of tiles at a time (see `restored_rows`).

    Tiles whose kernels differ are small, and fade into each other over half their side.
    """
    height, width = lr.shape[-2:]
    field = kernel if isinstance(kernel, KernelField) and kernel.varies else None
    known = kernel.kernel().detach() if isinstance(kernel, KernelField) else kernel
    side, overlap, margin = 192, 0, max(16, known.shape[-1] // scale + 8)
    if field is not None:
        side = min(96, max(48, min(height, width) // 4))
        overlap, margin = side // 2, margin + 8

    def one(piece: Tensor, tile: Tile) -> Tensor:
        middle = (tile.top + tile.height / 2) / height, (tile.left + tile.width / 2) / width
        local = known if field is None else field.kernel_at(*middle)
        return solve(
            solver, piece, local, scale, noise_level, degradation.anchor, renormalise, degradation.phase
        )

    return restored_rows(
        lr,
        scale,
        one,
        tile=side,
        margin=margin,
        overlap=overlap,
        boundary=degradation.boundary,
        label=label,
    )
