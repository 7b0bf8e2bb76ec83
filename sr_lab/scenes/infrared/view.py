"""Pictures of thermal frames: grey, stretched. For looking at only; no metric ever sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32


@dataclass(frozen=True)
class Stretch:
    """White is hot.

    Args:
        percentile: share (%) of the reference's values driven to black, and to white.
    """

    percentile: float | int = 0.5

    def __call__(
        self,
        image: Float[np.ndarray, "1 h w"],
        reference: Float[np.ndarray, "1 h2 w2"],
        facts: Mapping[str, Any],
    ) -> Float32[np.ndarray, "h w 1"]:
        """The picture of a frame, in [0, 1]; all pictures of one scene share the reference's stretch."""
        low, high = np.percentile(reference, [self.percentile, 100 - self.percentile])
        stretched = (image[0] - low) / (high - low if high > low else 1.0)
        return np.clip(stretched, 0, 1)[..., None].astype(np.float32)
