"""A sum of losses by name and weight, as a config states it."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.losses.distance import gradient_l1, l1, spectral_angle
from sr_lab.losses.thermal import log_spectrum, thermal_order
from sr_lab.losses.variation import spatial_variation, spectral_variation

Loss = Callable[[Float[Tensor, "b c h w"], Float[Tensor, "b c h w"]], Float[Tensor, " b"]]

LOSSES: dict[str, Loss] = {
    "l1": l1,
    "spectral_angle": spectral_angle,
    "gradient_l1": gradient_l1,
    "log_spectrum": log_spectrum,
    "thermal_order": thermal_order,
    "spatial_variation": lambda sr, hr: spatial_variation(sr),
    "spectral_variation": lambda sr, hr: spectral_variation(sr),
}


class WeightedLosses:
    """The terms of a training loss.

    Args:
        weights: by name; a term of weight 0 is left out.
        more: losses besides those that need nothing but two images.

    Raises:
        UserError: an unknown name, a negative weight, or nothing left.
    """

    def __init__(self, weights: Mapping[str, float | int], more: Mapping[str, Loss] | None = None) -> None:
        self.known = {**LOSSES, **(more or {})}
        for name, weight in weights.items():
            if name not in self.known:
                near = get_close_matches(name, self.known, n=1)
                raise UserError(
                    f"there is no loss called '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""),
                    where="method.losses",
                    fix=f"allowed: {', '.join(self.known)}",
                )
            if weight < 0:
                raise UserError(
                    f"weight {weight} is negative", where=f"method.losses.{name}", fix="use 0 or more"
                )
        self.weights = {name: float(weight) for name, weight in weights.items() if weight}
        if not self.weights:
            raise UserError("no loss has a weight", where="method.losses", fix="set method.losses.l1=1")

    def __call__(
        self, sr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """The weighted sum over terms of their means over the batch, and each mean as it is."""
        means = {name: self.known[name](sr, hr).mean() for name in self.weights}
        total = sr.new_zeros(())
        for name, weight in self.weights.items():
            total = total + weight * means[name]
        return total, means
