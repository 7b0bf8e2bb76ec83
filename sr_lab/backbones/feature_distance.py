"""Distance of images in the features of a frozen network: the perceptual term."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.backbones.residual import ResidualNet
from sr_lab.backbones.trained import load_network
from sr_lab.errors import UserError
from sr_lab.weights.store import load_weights

VGG_DEPTH = 23  # layers of VGG-16 up to relu4_3
VGG_MEAN, VGG_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
EMPTY = 1e-8  # added to the mean square of the true image's features


class FeatureDistance(nn.Module):
    """Squared difference of features over the mean square of the true image's: 0 for equal images, without a unit.

    Args:
        layers: from an image in [0, 1] to its features; frozen here, gradients reach the image alone.
    """

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers.requires_grad_(False)
        super().train(False)

    def train(self, mode: bool = True) -> "FeatureDistance":
        """Stays as it is."""
        return self

    def forward(self, sr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """One distance an image."""
        with torch.no_grad():
            true = self.layers(hr)
        error = (self.layers(sr) - true).square().mean((1, 2, 3))
        return error / (true.square().mean((1, 2, 3)) + EMPTY)


class _ForVGG(nn.Module):
    """Grey repeated, colours by ImageNet's mean and spread."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(VGG_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(VGG_STD).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x.expand(-1, 3, -1, -1) - cast(Tensor, self.mean)) / cast(Tensor, self.std)


def sr_features(weights: str, blocks: int = 4) -> FeatureDistance:
    """Features of a trained residual SR network: of its head and first blocks, applied to HR images.

    Args:
        weights: name in `sr-lab weights list`, or a .pt file, of a plain residual network.
        blocks: of its body.

    Raises:
        UserError: another network, or not so many blocks.
    """
    network = load_network(weights)
    if not isinstance(network, ResidualNet) or not 1 <= blocks < len(network.body):
        raise UserError(
            f"{blocks} residual blocks are not to be had from these weights",
            where=weights,
            fix="use weights of experiment=train_ir_residual, and fewer blocks than they have",
        )
    return FeatureDistance(nn.Sequential(network.head, *network.body[:blocks]))


def vgg_features(weights: str) -> FeatureDistance:
    """Features of VGG-16 at relu4_3; grey images are repeated.

    Args:
        weights: torchvision's state dict of VGG-16, imported (`sr-lab weights import`) or as a .pth file.

    Raises:
        UserError: not VGG-16.
    """
    from torchvision.models import vgg16

    network = cast(nn.Sequential, vgg16(weights=None).features)
    state = {
        k.removeprefix("features."): v for k, v in load_weights(weights).state.items() if "features." in k
    }
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise UserError(
            "these weights are not those of VGG-16", where=weights, fix="give torchvision's vgg16 state dict"
        ) from error
    layers = [nn.ReLU() if isinstance(layer, nn.ReLU) else layer for layer in network[:VGG_DEPTH]]
    return FeatureDistance(nn.Sequential(_ForVGG(), *layers))
