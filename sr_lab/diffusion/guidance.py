"""Guidance: what pulls at the predicted clean latent in training, besides its squared error.

DifIISR (CVPR 2025) states that the gradient of its visual and perceptual losses is injected into the noise estimate
(eq. 8 and 9); its code adds the losses instead. Both are here, and the injection with either sign.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.diffusion.residual_shift import Latent
from sr_lab.errors import UserError
from sr_lab.losses.weighted import Loss, WeightedLosses

Terms = dict[str, Float[Tensor, ""]]
FLAT = 1e-12  # least mean square of a gradient


@dataclass(frozen=True)
class Prediction:
    """One prediction of a training step.

    Args:
        found: clean latent that the network predicts.
        target: that it should.
        noisy: latent that it was given.
        factor: kappa^2 eta / (1 - eta) of the step: what a change of the noise estimate moves the clean latent by.
        decode: latent to image in [0, 1].
        hr: true image.
    """

    found: Latent
    target: Latent
    noisy: Latent
    factor: Float[Tensor, "b 1 1 1"]
    decode: Callable[[Latent], Tensor]
    hr: Float[Tensor, "b k hs ws"]


class Guidance(nn.Module):
    """How the training loss of a prediction is made.

    Attributes:
        through_network: it needs gradients with respect to the noisy latent.
    """

    through_network: bool = False

    def __init__(self) -> None:  # nn.Module's own takes anything
        super().__init__()

    @abstractmethod
    def forward(self, prediction: Prediction) -> tuple[Float[Tensor, ""], Terms]:
        """The loss, and what is logged of it."""


class Unguided(Guidance):
    """The squared error alone."""

    def forward(self, prediction: Prediction) -> tuple[Float[Tensor, ""], Terms]:
        """The mean squared error of the clean latent."""
        return _squared(prediction.found, prediction.target), {}


class _Guided(Guidance):
    """Guidance by losses of the decoded image.

    Args:
        terms: weights by name; see `losses.weighted`. `features` needs the module below.
        features: distance of features, image by image; see `backbones.feature_distance`.

    Raises:
        UserError: an unknown name, or features without their module.
    """

    def __init__(self, terms: Mapping[str, float | int], features: nn.Module | None = None) -> None:
        super().__init__()
        self.features = features
        more: dict[str, Loss] = {} if features is None else {"features": features}
        used = {name: weight for name, weight in terms.items() if weight or name != "features"}
        self.losses = WeightedLosses(used, more)

    def of(self, prediction: Prediction) -> tuple[Float[Tensor, ""], Terms]:
        """The guidance loss of a prediction: the mean over its images."""
        return self.losses(prediction.decode(prediction.found), prediction.hr)


class Added(_Guided):
    """The losses are added to the squared error. Arguments as `_Guided`."""

    def forward(self, prediction: Prediction) -> tuple[Float[Tensor, ""], Terms]:
        """Squared error plus guidance."""
        loss, terms = self.of(prediction)
        return _squared(prediction.found, prediction.target) + loss, terms


class Injected(_Guided):
    """The gradient of the losses, as a shift of the clean latent, goes into the squared error.

    The shift is rho min(factor, 1) times the error's own size along the gradient, image by image: the published factor
    reaches 197 at the last step, and the gradient's size depends on the number of pixels.

    `right`: the target moves against the gradient, so that descent lowers the guidance loss. `literal`: the prediction
    moves against it, as the paper words it, and the squared error then sends the network along it, up the guidance
    loss. `sign_toy` of experiments/infrared shows what either does.

    Args:
        terms, features: as `_Guided`.
        rho: share of the error that the shift is; at 1 and more the literal sign no longer learns.
        sign: see above.
        through: gradient with respect to the clean latent (`latent`), or to the noisy one through the network, as
            published (`network`), which costs another backward pass.

    Raises:
        UserError: rho is not positive.
    """

    def __init__(
        self,
        terms: Mapping[str, float | int],
        features: nn.Module | None = None,
        rho: float = 0.5,
        sign: Literal["right", "literal"] = "right",
        through: Literal["latent", "network"] = "latent",
    ) -> None:
        super().__init__(terms, features)
        if rho <= 0:
            raise UserError(
                f"{rho} is no strength",
                where="method.guidance.rho",
                fix="use a number above 0, or guidance=none",
            )
        self.rho, self.toward = rho, -1 if sign == "right" else 1
        self.through_network = through == "network"

    def forward(self, prediction: Prediction) -> tuple[Float[Tensor, ""], Terms]:
        """Squared error from the shifted target."""
        loss, terms = self.of(prediction)
        variable = prediction.noisy if self.through_network else prediction.found
        (slope,) = torch.autograd.grad(loss, variable, retain_graph=True)
        along = slope / slope.square().mean((1, 2, 3), keepdim=True).clamp_min(FLAT).sqrt()
        found, target = prediction.found, prediction.target
        error = (found.detach() - target).square().mean((1, 2, 3), keepdim=True).sqrt()
        shift = self.rho * prediction.factor.clamp(max=1).to(found) * error * along
        return _squared(found, target + self.toward * shift), {k: v.detach() for k, v in terms.items()}


def _squared(found: Latent, target: Latent) -> Float[Tensor, ""]:
    return (found - target).square().mean()
