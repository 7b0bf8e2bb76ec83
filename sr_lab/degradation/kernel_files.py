"""Blur kernels from files, brought to one window and one anchor."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from sr_lab.degradation.anchor import Anchor, anchor_centre
from sr_lab.errors import UserError
from sr_lab.io.kernels import survey_kernels

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
    move = centre - mass_centre(kernel)
    if np.abs(move - shift).max() > CENTRED:
        shift = move
    placed = _normalised(shift_into(kernel, size, shift), len(kernel), where)
    for _ in range(5):  # tails that are cut off displace the centre again, by less each time
        error = centre - mass_centre(placed)
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


def mass_centre(kernel: Float64[np.ndarray, "k k"]) -> Float64[np.ndarray, "2"]:
    """Row and column of the centre of mass, 0-based pixels."""
    grid = np.arange(len(kernel))
    return np.array([kernel.sum(1) @ grid, kernel.sum(0) @ grid]) / kernel.sum()


def width(kernel: Float64[np.ndarray, "k k"]) -> float:
    """Standard deviation in pixels, the root mean square over the two axes."""
    row, column = mass_centre(kernel)
    grid = np.arange(len(kernel))
    spread = kernel.sum(1) @ (grid - row) ** 2 + kernel.sum(0) @ (grid - column) ** 2
    return float(np.sqrt(max(spread, 0) / 2 / kernel.sum()))


@dataclass(frozen=True)
class Placed:
    """One kernel of a set: as it was stored and as it will be used, or what is wrong with it.

    Attributes:
        name: as `read_kernels` gives it.
        stored: odd side, sum 1, turned if asked; None if it could not be read.
        kernel: on the common window; None if it cannot be used.
        fault: why not.
    """

    name: str
    stored: Float64[np.ndarray, "k k"] | None = None
    kernel: Float64[np.ndarray, "n n"] | None = None
    fault: UserError | None = None


def place_kernels(
    path: str | Path,
    *,
    scale: int,
    size: int | None = None,
    anchor: Anchor = "fkp",
    recentre: bool = True,
    flip: bool = False,
) -> tuple[int, list[Placed]]:
    """Bring all kernels of a file or folder to one window; arguments as in `KernelFiles`.

    Returns:
        side of the window, and every kernel, bad ones with their fault.

    Raises:
        UserError: no kernel there at all, or an impossible size.
    """
    stored: list[tuple[str, np.ndarray | UserError]] = []
    for name, found in survey_kernels(path, even=True):
        if not isinstance(found, UserError):
            found = np.pad(found, (0, 1)) if len(found) % 2 == 0 else found
            found = found[::-1, ::-1] if flip else found
        stored.append((name, found))
    readable = [kernel for _, kernel in stored if not isinstance(kernel, UserError)]
    smallest = scale + 1 + scale % 2
    largest = max([smallest, *(len(kernel) for kernel in readable)])
    window = largest if size is None else size
    if window % 2 == 0 or window <= scale:
        raise UserError(
            f"a kernel window of {window} px does not suit scale {scale}",
            where=str(path),
            fix="Give an odd size larger than the scale",
        )
    placed = _place(stored, window, scale, anchor, recentre, path)
    # a kernel that fills the largest window has no room to move to its anchor
    while (
        size is None
        and window < 2 * largest
        and any(item.stored is not None and item.fault for item in placed)
    ):
        window += 2
        placed = _place(stored, window, scale, anchor, recentre, path)
    return window, placed


def _place(
    stored: list[tuple[str, np.ndarray | UserError]],
    window: int,
    scale: int,
    anchor: Anchor,
    recentre: bool,
    path: str | Path,
) -> list[Placed]:
    centre = anchor_centre(window, scale, anchor) if recentre else None
    placed = []
    for name, found in stored:
        if isinstance(found, UserError):
            placed.append(Placed(name, fault=found))
            continue
        try:
            placed.append(Placed(name, found, fit(found, window, centre, f"{path}, {name}")))
        except UserError as fault:
            placed.append(Placed(name, found, fault=fault))
    return placed


class KernelFiles:
    """Kernels drawn with replacement from a file or a folder.

    Args:
        path: a kernel file (one or many kernels), or a folder of them; even sides get a row and a column of
            zeros at the bottom right.
        scale: the decimation s that the anchor refers to.
        size: common odd side; default the largest kernel's, or what moving to the anchor needs beyond it.
        anchor: where the centre of mass shall be, see `anchor_centre`.
        recentre: False takes the kernels where they are, padded or cropped about their middle, and trusts
            that this is what the anchor says.
        flip: True turns them by 180 degrees, for files that mean convolution instead of correlation.

    Attributes:
        names: one per kernel, in file order.
        stored: each on its own window, as `Placed.stored`.
        kernels: all of them, (m, 1, k, k), float32, sum 1.

    Raises:
        UserError: no kernels there, a file that is none, an even size or one that cuts off more than 1 % of
            a kernel.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        scale: int,
        size: int | None = None,
        anchor: Anchor = "fkp",
        recentre: bool = True,
        flip: bool = False,
    ) -> None:
        self.size, placed = place_kernels(
            path, scale=scale, size=size, anchor=anchor, recentre=recentre, flip=flip
        )
        faults = [item.fault for item in placed if item.fault is not None]
        if len(faults) > 1:
            raise UserError(
                f"{len(faults)} of {len(placed)} kernels cannot be used; the first: {faults[0]}",
                where=str(path),
                fix=f"`sr-lab kernels check {path} --scale {scale}` lists them all",
            )
        if faults:
            raise faults[0]
        self.scale, self.anchor = scale, anchor
        self.names = [item.name for item in placed]
        self.stored = [item.stored for item in placed if item.stored is not None]
        fitted = np.stack([item.kernel for item in placed if item.kernel is not None])
        self.kernels: Float[Tensor, "m 1 k k"] = torch.from_numpy(fitted[:, None]).float()

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n kernels: float32, sum 1, on the generator's device."""
        chosen = torch.randint(len(self.kernels), (n,), generator=generator, device=generator.device)
        return self.kernels.to(generator.device)[chosen]
