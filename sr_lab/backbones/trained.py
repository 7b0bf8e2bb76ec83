"""Image-to-image networks from checkpoints: ours say what they are, the published ESSAformer is known by its keys."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sr_lab.backbones.eigenimages import Eigenimages
from sr_lab.backbones.essaformer import ESSAformer
from sr_lab.backbones.image_to_image import ImageToImage
from sr_lab.backbones.lsrgan import LSRGAN
from sr_lab.backbones.residual import ResidualNet
from sr_lab.errors import UserError
from sr_lab.weights.store import Checkpoint, load_weights, misfit

PLAIN: dict[str, type[ImageToImage]] = {net.kind: net for net in (ESSAformer, LSRGAN, ResidualNet)}
ESSAFORMER_KEY = "blockup.convup.attn.lnqkv.weight"


def is_image_to_image(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is meant for one of these networks."""
    kind = checkpoint.architecture.get("kind")
    return kind in PLAIN or kind == Eigenimages.kind or ESSAFORMER_KEY in checkpoint.state


def network_from(checkpoint: Checkpoint, where: str) -> ImageToImage:
    """Build the network that a checkpoint describes and load it strictly.

    Raises:
        UserError: no such network, or keys or shapes are not its own.
    """
    try:
        net = _built(checkpoint.architecture or _published(checkpoint.state))
        net.load_state_dict(checkpoint.state, strict=True)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"these weights are no image-to-image network ({misfit(error)})",
            where=where,
            fix="expected the keys of the published ESSAformer, or weights.pt of experiment=train_hsi_*",
        ) from error
    return net.eval()


def load_network(weights: str) -> ImageToImage:
    """A trained network by name in `sr-lab weights list`, or by path.

    Raises:
        UserError: not the weights of an image-to-image network.
    """
    return network_from(load_weights(weights), weights)


def _built(architecture: Mapping[str, Any]) -> ImageToImage:
    arguments = dict(architecture)
    kind = arguments.pop("kind")
    if kind == Eigenimages.kind:
        return Eigenimages(_built(arguments["network"]), apart=arguments.get("apart", False))
    return PLAIN[kind](**arguments)


def _published(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The architecture of a bare ESSAformer, from its shapes."""
    width, channels = state["conv_first.weight"].shape[:2]
    stages = [state[key] for key in state if key.startswith("blockup.convupsample.") and key.endswith("bias")]
    scale = 3 if stages and len(stages[0]) == 9 * width else 2 ** len(stages)
    return {"kind": ESSAformer.kind, "channels": channels, "width": width, "scale": scale}
