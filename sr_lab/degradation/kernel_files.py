"""Blur kernels from files, brought to one window and one anchor."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from sr_lab.degradation.anchor import Anchor, anchor_centre
from sr_lab.errors import UserError
from sr_lab.io.kernels import read_kernels

MAX_LOSS = 0.01
CENTRED = 0.05  # px; a kernel this close to its anchor is not resampled


def shift_into(
    kernel: Float64[np.ndarray, "k k"], size: int, shift: Float64[np.ndarray, "2"]
) -> Float64[np.ndarray, "n n"]:
    """Copy a kernel to a window, pixel (r, c) to (r, c) + shift, each weight split bilinearly.

    Weights keep their sign, and mass is lost only where it leaves the window; whole shifts copy exactly.
    """
    rows, columns = (
        np.maximum(0.0, 1 - np.abs(np.arange(size)[:, None] - np.arange(len(kernel)) - move))
        for move in shift
    )
    return rows @ kernel @ columns.T


def fit(
    kernel: Float64[np.ndarray, "k k"], size: int, centre: float | None, where: str
) -> Float64[np.ndarray, "n n"]:
    """Pad or crop a kernel about its middle to size x size and, if asked, move its centre of mass.

    Args:
        kernel: odd side, sum 1.
        size: odd side of the window.
        centre: wanted centre of mass on both axes, 0-based pixels; None leaves it where the padding puts it.
            A kernel that is within 0.05 px of it already is not resampled.
        where: the kernel's name, for messages.

    Returns:
        kernel with sum 1 and its centre of mass within 0.05 px of `centre`.

    Raises:
        UserError: more than 1 % of the mass would be cut off.
    """
    shift = np.full(2, (size - len(kernel)) / 2)
    if centre is None:
        return _normalised(shift_into(kernel, size, shift), len(kernel), where)
    move = centre - _centre_of_mass(kernel)
    if np.abs(move - shift).max() > CENTRED:
        shift = move
    placed = _normalised(shift_into(kernel, size, shift), len(kernel), where)
    for _ in range(5):  # tails that are cut off displace the centre again, by less each time
        error = centre - _centre_of_mass(placed)
        if np.abs(error).max() <= CENTRED:
            break
        shift = shift + error
        placed = _normalised(shift_into(kernel, size, shift), len(kernel), where)
    return placed


def _normalised(placed: np.ndarray, side: int, where: str) -> np.ndarray:
    total = placed.sum()
    if total < 1 - MAX_LOSS:
        raise UserError(
            f"a window of {len(placed)} px cuts off {100 * (1 - total):.1f} % of this {side} px kernel",
            where=where,
            fix="Choose a larger size",
        )
    return placed / total


def _centre_of_mass(kernel: np.ndarray) -> np.ndarray:
    grid = np.arange(len(kernel))
    return np.array([kernel.sum(1) @ grid, kernel.sum(0) @ grid]) / kernel.sum()


class KernelFiles:
    """Kernels drawn with replacement from a file or a folder.

    Args:
        path: a kernel file (one or many kernels), or a folder of them.
        scale: the decimation s that the anchor refers to.
        size: common odd side; default the largest kernel's.
        anchor: where the centre of mass shall be, see `anchor_centre`.
        recentre: False takes the kernels where they are, padded or cropped about their middle, and trusts
            that this is what the anchor says.

    Attributes:
        names: one per kernel, in file order.
        kernels: all of them, (m, 1, k, k), float32, sum 1.

    Raises:
        UserError: no readable kernels there, an even size or one that cuts off more than 1 % of a kernel.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        scale: int,
        size: int | None = None,
        anchor: Anchor = "fkp",
        recentre: bool = True,
    ) -> None:
        found = read_kernels(path)
        size = max(len(kernel) for _, kernel in found) if size is None else size
        if size % 2 == 0 or size <= scale:
            raise UserError(
                f"a kernel window of {size} px does not suit scale {scale}",
                where=str(path),
                fix="Give an odd size larger than the scale",
            )
        centre = anchor_centre(size, scale, anchor) if recentre else None
        self.scale, self.size, self.anchor = scale, size, anchor
        self.names = [name for name, _ in found]
        fitted = np.stack([fit(kernel, size, centre, f"{path}, {name}") for name, kernel in found])
        self.kernels: Float[Tensor, "m 1 k k"] = torch.from_numpy(fitted[:, None]).float()

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n kernels: float32, sum 1, on the generator's device."""
        chosen = torch.randint(len(self.kernels), (n,), generator=generator, device=generator.device)
        return self.kernels.to(generator.device)[chosen]
