"""Pictures of radar images: grey by a fixed range of decibels. For looking at only; no metric ever sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32

from sr_lab.io.complex import intensity
from sr_lab.scenes.sar.decibels import Decibels


@dataclass(frozen=True)
class DecibelView:
    """Grey from black at `low` to white at `high`, the same for every image.

    Args:
        low: dB over the intensity that 1.0 stands for.
        high: dB.
    """

    low: float | int = -25
    high: float | int = 15

    def __post_init__(self) -> None:
        Decibels(self.low, self.high)

    def __call__(
        self,
        image: Float[np.ndarray, "c h w"],
        reference: Float[np.ndarray, "c2 h2 w2"],
        facts: Mapping[str, Any],
    ) -> Float32[np.ndarray, "h w 3"]:
        """The picture of an image, in [0, 1].

        Args:
            image: complex or detected.
            reference: not looked at: no image sets the contrast.
            facts: not looked at.
        """
        power = intensity(torch.from_numpy(np.ascontiguousarray(image))[None])[0, 0]
        grey = Decibels(self.low, self.high).forward(power).clamp(0, 1).numpy()
        return np.repeat(grey[..., None], 3, 2).astype(np.float32)
