"""Family: a set of blurs by a few unconstrained numbers, as the fit of a spectrum sees it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from sr_lab.priors.spectral.aliases import Aliases


@dataclass(frozen=True)
class Gaussian:
    """A normal belief about some numbers."""

    mean: Float[Tensor, " p"]
    precision: Float[Tensor, "p p"]


class Family(ABC):
    """Blurs with p numbers each, their `shape`; all arithmetic in float64 on the CPU.

    A power spectrum tells nothing of phase: two blurs with one |H|^2 are one to the fit. Every family says which of
    them `render` makes, at the `fkp` anchor.
    """

    thinning = 1  # every how many-th frequency is enough for the fit

    @abstractmethod
    def prior(self, scale: int) -> Gaussian:
        """What is believed of the shape before an image is seen."""

    @abstractmethod
    def typical(self, scale: int) -> Float[Tensor, " p"]:
        """What to assume of an image that tells nothing."""

    @abstractmethod
    def log_gain(self, shape: Float[Tensor, " p"], at: Aliases) -> Float[Tensor, "n m"]:
        """Log |H|^2 at every alias; 0 at zero frequency."""

    @abstractmethod
    def slope(
        self, shape: Float[Tensor, " p"], at: Aliases, share: Float[Tensor, "n m"]
    ) -> Float[Tensor, "n p"]:
        """Derivatives of `log_gain` by every number, summed over the aliases with weights."""

    @abstractmethod
    def log_variance(self, shape: Float[Tensor, " p"]) -> Float[Tensor, ""]:
        """Logarithm of the squared width, in any unit: what `caution` lowers."""

    @abstractmethod
    def render(self, shape: Float[Tensor, "b p"], scale: int, size: int) -> Float[Tensor, "b 1 k k"]:
        """Kernels that sum to 1, at the `fkp` anchor.

        Raises:
            UserError: the family has no kernels of this size.
        """

    def starts(self, belief: Gaussian) -> list[Float[Tensor, " p"]]:
        """Shapes to start the fit from, one in each valley that its objective may have."""
        return [belief.mean]
