"""Random motion-blur kernels: straight lines, and the wandering path of a hand-held camera."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.anchor import Anchor, anchor_centre, default_kernel_size, to_anchor
from sr_lab.errors import UserError

Number = float | int
Range = Number | Sequence[Number]


def _limits(value: Range) -> tuple[float, float]:
    """(low, high) of a uniform draw; a single number is both."""
    ends = value if isinstance(value, Sequence) else (value, value)
    if len(ends) != 2:
        raise UserError(
            f"length has {len(ends)} values", where="motion kernel", fix="Give one number, or low and high"
        )
    return float(ends[0]), float(ends[1])


def _check_window(size: int, scale: int, where: str) -> None:
    """Refuse windows that cannot hold a kernel at the anchor."""
    if scale < 1 or size % 2 == 0 or size <= scale:
        raise UserError(
            f"a kernel window of {size} px does not suit scale {scale}",
            where=where,
            fix="Give a whole scale of at least 1 and an odd size larger than the scale",
        )


def _uniform(low: Number, high: Number, n: int, generator: torch.Generator) -> Float[Tensor, " n"]:
    """Draw n float64 numbers from U(low, high), on the generator's device."""
    return low + (high - low) * torch.rand(
        n, generator=generator, device=generator.device, dtype=torch.float64
    )


@dataclass(frozen=True, kw_only=True)
class LineMotion:
    """Straight motion at a uniform random angle.

    Args:
        scale: the decimation s that the anchor refers to.
        size: odd window side k; default min(4s+3, 21).
        length: HR pixels, a number or a (low, high) range drawn uniformly. Default 2 (k // 4) + 1 as in
            DIP-DKP (9 px at x4).
        anchor: see `anchor_centre`. Every kernel has its centre of mass exactly there, also at even scales,
            where the published centre (3s+3)/2 lies between two rows.

    Raises:
        UserError: the window or the length does not fit.

    Source: DIP-DKP's motion kernels, a row of ones turned with linear interpolation, in closed form, so that
    the length may be any real number.
    """

    scale: int
    size: int | None = None
    length: Range | None = None
    anchor: Anchor = "fkp"

    def __post_init__(self) -> None:
        size, (low, high) = self._window()
        _check_window(size, self.scale, "LineMotion")
        # pixels at distance room + 1 from the centre are the first ones cut off; the line must be zero there
        room = anchor_centre(size, self.scale, "fkp")
        longest = 2 * math.sqrt((room + 1) ** 2 - 1) - 1
        if not 1 <= low <= high <= longest:
            raise UserError(
                f"lines of {low:g} to {high:g} px in a window of {size} px at scale {self.scale}",
                where="LineMotion",
                fix=f"Give 1 <= low <= high <= {math.floor(10 * longest) / 10:g}, or a larger size",
            )

    def _window(self) -> tuple[int, tuple[float, float]]:
        size = default_kernel_size(self.scale) if self.size is None else self.size
        return size, _limits(2 * (size // 4) + 1 if self.length is None else self.length)

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n kernels: float32, non-negative, sum 1, on the generator's device."""
        size, (low, high) = self._window()
        length, angle = _uniform(low, high, n, generator), _uniform(0, math.pi, n, generator)
        kernels = line_kernels(length, angle, scale=self.scale, size=size)
        return to_anchor(kernels.float(), self.anchor)


def line_kernels(
    length: Float[Tensor, " n"], angle: Float[Tensor, " n"], *, scale: int, size: int
) -> Float[Tensor, "n 1 k k"]:
    """Straight lines drawn with a bilinear brush: sum 1, at the `fkp` anchor, in the numbers' own precision.

    Args:
        length: HR pixels, at least 1.
        angle: radians from the rows' direction towards the columns'.
        scale: the decimation s that the anchor refers to.
        size: side k of the window, which cuts longer lines off.
    """
    length, angle = length[:, None, None], angle[:, None, None]
    grid = torch.arange(size, dtype=angle.dtype, device=angle.device) - anchor_centre(size, scale, "fkp")
    rows, columns = grid[:, None], grid[None, :]
    along = (torch.cos(angle) * columns + torch.sin(angle) * rows).abs()
    across = (torch.cos(angle) * rows - torch.sin(angle) * columns).abs()
    raw = ((length + 1) / 2 - along).clamp(0, 1) * (1 - across).clamp(min=0)
    return (raw / raw.sum((-2, -1), keepdim=True))[:, None]


def splat(points: Float[Tensor, "n t 2"], size: int) -> Float[Tensor, "n k k"]:
    """Spread equal masses bilinearly over the four pixels around each point; the masses of a path sum to 1.

    Args:
        points: (row, column), 0-based pixels inside [0, size-1]; the result has their centre of mass.
        size: side k.
    """
    grid = torch.arange(size, dtype=points.dtype, device=points.device)
    tents = (1 - (points[..., None] - grid).abs()).clamp(min=0)  # n t 2 k
    return tents[:, :, 0].mT @ tents[:, :, 1] / points.shape[1]


@dataclass(frozen=True, kw_only=True)
class CameraShake:
    """Paths of a shaking camera during the exposure.

    A particle moves at constant speed. Its heading is disturbed by Gaussian tremor, bent back towards the
    start, and now and then thrown round by a jerk. For each kernel the length is drawn from its range, and
    each of the other three from U(0, value).

    Args:
        scale: the decimation s that the anchor refers to.
        size: odd window side k; default min(4s+3, 21).
        length: length of the path in HR pixels, a number or a (low, high) range; default k/2 to 2k. A path
            that would leave the window is shrunk to fit.
        tremor: spread of the heading that tremor builds up over the exposure, radians (standard deviation).
        pull: acceleration towards the start per unit of distance; path length, exposure and speed are 1.
        jerks: expected number of jerks in the exposure; each turns the heading by 180 +- 45 degrees.
        anchor: see `anchor_centre`; every kernel has its centre of mass there.

    Raises:
        UserError: the window or a parameter does not make sense.

    Source: the trajectory model of Boracchi and Foi 2012, "Modeling the performance of image restoration from
    motion blur", with its step-wise constants restated per exposure.
    """

    scale: int
    size: int | None = None
    length: Range | None = None
    tremor: Number = 2.0
    pull: Number = 100.0
    jerks: Number = 2.0
    anchor: Anchor = "fkp"

    def __post_init__(self) -> None:
        size, (low, high) = self._window()
        _check_window(size, self.scale, "CameraShake")
        if not 0 < low <= high or min(self.tremor, self.pull, self.jerks) < 0:
            raise UserError(
                f"length {low} to {high}, tremor {self.tremor}, pull {self.pull}, jerks {self.jerks}",
                where="CameraShake",
                fix="Give 0 < low <= high for the length, and no negative tremor, pull or jerks",
            )

    def _window(self) -> tuple[int, tuple[float, float]]:
        size = default_kernel_size(self.scale) if self.size is None else self.size
        return size, _limits((size / 2, 2 * size) if self.length is None else self.length)

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Draw n kernels: float32, non-negative, sum 1, on the generator's device."""
        size, (low, high) = self._window()
        centre = anchor_centre(size, self.scale, "fkp")
        length = _uniform(low, high, n, generator)
        path = self._paths(n, max(64, math.ceil(4 * high)), generator) * length[:, None, None]
        path = path - path.mean(1, keepdim=True)
        room = torch.where(path < 0, centre, size - 1 - centre)
        reach = (path.abs() / room).amax((1, 2)).clamp(min=1)
        kernel = splat(centre + path / reach[:, None, None], size)
        return to_anchor(kernel.float()[:, None], self.anchor)

    def _paths(self, n: int, steps: int, generator: torch.Generator) -> Float[Tensor, "n steps 2"]:
        """Integrate n paths of length 1, `steps` positions each."""
        dt, shape = 1 / steps, (n, steps)
        tremor = _uniform(0, self.tremor, n, generator)
        pull = _uniform(0, self.pull, n, generator)
        jerks = _uniform(0, self.jerks, n, generator)
        velocity = torch.polar(torch.ones_like(pull), _uniform(0, 2 * math.pi, n, generator))
        options = {"generator": generator, "device": generator.device}
        # the two parts of a complex normal number have variance 1/2 each
        push = torch.randn(shape, **options, dtype=torch.complex128) * math.sqrt(2 * dt) * tremor[:, None]
        jerked = torch.rand(shape, **options, dtype=torch.float64) < jerks[:, None] * dt
        turn = math.pi * (1 + (torch.rand(shape, **options, dtype=torch.float64) - 0.5) / 2)
        throw = torch.polar(torch.ones_like(turn), torch.where(jerked, turn, 0.0))
        position = torch.zeros_like(velocity)
        positions = []
        for step in range(steps):
            velocity = velocity * throw[:, step] + push[:, step] - pull * dt * position
            velocity = velocity / velocity.abs()
            position = position + dt * velocity
            positions.append(position)
        return torch.view_as_real(torch.stack(positions, dim=1))
