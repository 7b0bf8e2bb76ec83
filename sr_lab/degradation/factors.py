"""Factors of rows and columns: one scale for both, or one per axis where pixels are not square."""

from collections.abc import Sequence

from torch import Tensor

from sr_lab.errors import UserError

Factors = tuple[int, int]  # of rows (azimuth) and columns (range)


def both(factor: int | Factors) -> Factors:
    """A factor as one per axis."""
    return (factor, factor) if isinstance(factor, int) else factor


def per_axis(scale: int, given: Sequence[int] | None, where: str) -> Factors:
    """The factors that a config gives.

    Args:
        scale: s, by which runs are named: the larger factor.
        given: of rows and columns; None: s of both.
        where: config path of `given`.

    Raises:
        UserError: not two factors, or the larger is not s.
    """
    if given is None:
        return scale, scale
    if len(given) != 2 or min(given) < 1 or max(given) != scale:
        raise UserError(
            f"{list(given)} are no factors at scale x{scale}",
            where=where,
            fix="give [rows, columns], each 1 or more, and as scale the larger of both",
        )
    return given[0], given[1]


def enlarged_sides(image: Tensor, factor: int | Factors) -> tuple[int, int]:
    """Rows and columns of an image enlarged so."""
    down, across = both(factor)
    return image.shape[-2] * down, image.shape[-1] * across


def reduced_sides(image: Tensor, factor: int | Factors) -> tuple[int, int]:
    """Rows and columns of an image made smaller so."""
    down, across = both(factor)
    return image.shape[-2] // down, image.shape[-1] // across


def named(factors: Factors) -> str:
    """`x4`, or `x4 in rows and x2 in columns`."""
    down, across = factors
    return f"x{down}" if down == across else f"x{down} in rows and x{across} in columns"
