"""What a scene brings: pictures of its images, and a person's own files read and written."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor

Enlarge = Callable[[Float[Tensor, "1 c h w"]], Iterator[Float[Tensor, "1 c rows ws"]]]


@runtime_checkable
class View(Protocol):
    """How an image of a scene is shown."""

    def __call__(
        self,
        image: Float[np.ndarray, "c h w"],
        reference: Float[np.ndarray, "c h2 w2"],
        facts: Mapping[str, Any],
    ) -> Float32[np.ndarray, "h w 3"]:
        """A picture in [0, 1].

        Args:
            image: in the scene's normalised range.
            reference: sets the contrast of all pictures of one scene alike.
            facts: of the image, from its dataset.
        """
        ...


@runtime_checkable
class Opened(Protocol):
    """A person's file, read."""

    def image(self) -> Float[Tensor, "1 c h w"]:
        """In the scene's normalised range."""
        ...

    def check(self, target: Path, scale: int) -> None:
        """See that a result fits its format, before it is made; a UserError if not."""
        ...

    def write(
        self, target: Path, rows: Iterable[Float[Tensor, "1 c rows ws"]], scale: int, enlarge: Enlarge
    ) -> list[str]:
        """Write the result as the input came, whole or not at all.

        Args:
            target: of the result.
            rows: the result from the top down.
            scale: s.
            enlarge: interpolates by s whatever of the input took no part.

        Returns:
            what a person must know of the result.
        """
        ...


@runtime_checkable
class SceneFiles(Protocol):
    """The files of a scene."""

    def find(self, folder: Path) -> list[Path]:
        """Its files in a folder, to the bottom, sorted."""
        ...

    def open(self, path: Path) -> Opened:
        """Read one; a UserError says what is wrong with it."""
        ...
