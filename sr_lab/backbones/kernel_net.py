"""A small convolutional network that tells the blur of an LR image from its luminance, and how sure it is."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sr_lab.errors import UserError
from sr_lab.weights.store import Checkpoint, load_weights, misfit

_POOLS = 4
_LARGEST_LOG = 6.0


class Belief(NamedTuple):
    """Normal beliefs about three numbers per image: mean, and the lower factor L of the precision L L^T."""

    mean: Float[Tensor, "b 3"]
    factor: Float[Tensor, "b 3 3"]

    def nll(self, truth: Float[Tensor, "b 3"]) -> Float[Tensor, " b"]:
        """Negative log-density of the truth, without its constant."""
        away = (self.factor.mT @ (truth - self.mean)[..., None])[..., 0]
        return 0.5 * away.square().sum(1) - self.factor.diagonal(dim1=1, dim2=2).log().sum(1)


class KernelNet(nn.Module):
    """Convolutions, then means and spreads under learned weights over the image, then the belief.

    Any size from 16x16 on. The image is centred and divided by the rms of its gradient, so contrast does not count.

    Args:
        width: channels at full resolution; twice as many at half.
        blocks: residual blocks at half resolution.
    """

    def __init__(self, width: int = 24, blocks: int = 2) -> None:
        super().__init__()
        self.architecture = {"width": width, "blocks": blocks}
        wide = 2 * width
        self.first = nn.Conv2d(1, width, 5, padding=2)
        self.down = nn.Conv2d(width, wide, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(wide, wide, 3, padding=1), nn.ReLU(), nn.Conv2d(wide, wide, 3, padding=1))
            for _ in range(blocks)
        )
        self.attention = nn.Conv2d(wide, _POOLS, 1)
        self.head = nn.Sequential(nn.Linear(2 * _POOLS * wide + 2, 128), nn.ReLU(), nn.Linear(128, 9))

    def forward(self, luminance: Float[Tensor, "b 1 h w"], scale: int) -> Belief:
        """The shape (see `priors.spectral.shape`) of each image's blur.

        Args:
            luminance: in [0, 1].
            scale: s of the decimation.
        """
        centred = luminance - luminance.mean((1, 2, 3), keepdim=True)
        energy = centred.diff(dim=-1).square().mean((1, 2, 3)) + centred.diff(dim=-2).square().mean((1, 2, 3))
        rms = (energy + 1e-8).sqrt()
        x = F.relu(self.down(F.relu(self.first(centred / rms[:, None, None, None]))))
        for block in self.blocks:
            x = F.relu(x + block(x))
        weights, features = self.attention(x).flatten(2).softmax(-1), x.flatten(2)
        mean = torch.einsum("bkn,bcn->bkc", weights, features)
        square = torch.einsum("bkn,bcn->bkc", weights, features.square())
        spread = ((square - mean.square()).clamp_min(0) + 1e-6).sqrt()
        facts = torch.stack([torch.full_like(rms, scale / 4), rms.log() / 3], 1)
        out = self.head(torch.cat([mean.flatten(1), spread.flatten(1), facts], 1))
        factor = torch.diag_embed(out[:, 3:6].clamp(-_LARGEST_LOG, _LARGEST_LOG).exp())
        rows, columns = torch.tril_indices(3, 3, -1)
        return Belief(
            out[:, :3], factor.index_put((torch.arange(len(out))[:, None], rows, columns), out[:, 6:])
        )


def kernel_net_from(checkpoint: Checkpoint, where: str) -> KernelNet:
    """Build the network a checkpoint describes and load it strictly.

    Raises:
        UserError: keys or shapes are not those of a KernelNet.
    """
    try:
        net = KernelNet(**checkpoint.architecture)
        net.load_state_dict(checkpoint.state, strict=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"these weights are not a KernelNet ({misfit(error)})",
            where=where,
            fix="train one: sr-lab run experiment=train_kernel_net",
        ) from error
    return net.eval().requires_grad_(False)


def load_kernel_net(weights: str) -> KernelNet:
    """A trained network by name in `sr-lab weights list`, or by path."""
    return kernel_net_from(load_weights(weights), weights)
