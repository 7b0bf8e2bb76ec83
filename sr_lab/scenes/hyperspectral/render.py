"""Pictures of cubes: three bands, one stretch each. For looking at only; no metric ever sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

TRUE_COLOUR = (640.0, 550.0, 460.0)  # nm, of red, green and blue
FALSE_COLOUR = (860.0, 650.0, 550.0)  # near infrared as red: vegetation glows
_NEAR = 100.0  # nm; a band further away does not stand for the colour


def three_bands(
    bands: int,
    wavelengths: Float[np.ndarray, " n"] | None = None,
    colours: Sequence[float | int] = TRUE_COLOUR,
) -> list[int]:
    """Numbers of the bands shown as red, green and blue.

    Args:
        bands: how many there are.
        wavelengths: nm.
        colours: nm, of red, green and blue.

    Returns:
        the bands nearest to the colours; where the wavelengths are not known, or leave a colour without a band of
        its own, three evenly spread ones, the last of them red.
    """
    if wavelengths is not None and len(wavelengths) == bands:
        distance = np.abs(np.subtract.outer(np.asarray(colours), wavelengths))
        nearest = [int(index) for index in distance.argmin(1)]
        if distance.min(1).max() <= _NEAR and len(set(nearest)) == 3:
            return nearest
    return [int(bands * share) for share in (5 / 6, 1 / 2, 1 / 6)]


@dataclass(frozen=True)
class Composite:
    """Red, green and blue from three bands, each stretched between the same two percentiles.

    Apart and not together, since radiance falls tenfold from the visible to the short-wave infrared.

    Args:
        colours: wavelengths (nm) of red, green and blue; see `three_bands`.
        percentile: share (%) of the reference's values that the stretch drives to black, and to white.
    """

    colours: Sequence[float | int] = TRUE_COLOUR
    percentile: float | int = 1.0

    def __call__(
        self,
        image: Float[np.ndarray, "bands h w"],
        reference: Float[np.ndarray, "bands h2 w2"],
        facts: Mapping[str, Any],
    ) -> Float32[np.ndarray, "h w 3"]:
        """The picture of an image, in [0, 1].

        Args:
            image: any range.
            reference: whose percentiles set the stretch: the same for all pictures of one scene.
            facts: `wavelengths` of the bands, if known.
        """
        shown = three_bands(len(image), facts.get("wavelengths"), self.colours)
        limits = [self.percentile, 100 - self.percentile]
        low, high = np.percentile(reference[shown], limits, axis=(1, 2), keepdims=True)
        stretched = (image[shown] - low) / np.where(high > low, high - low, 1)
        return np.ascontiguousarray(np.clip(stretched, 0, 1).transpose(1, 2, 0), dtype=np.float32)
