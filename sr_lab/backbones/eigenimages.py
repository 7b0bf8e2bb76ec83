"""Any number of bands through a network of r channels: the leading eigenimages of the LR cube are what it enlarges.

A blur shared by the bands commutes with every mixing of bands, so a low-rank cube may be restored in the coordinates of
its own spectra. Source: the idea of "EigenSR", AAAI 2025 (arXiv 2409.04050), there with a frozen RGB network.
"""

from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.image_to_image import ImageToImage, Upscale
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError

SMALLEST_SPREAD = (
    1e-6  # of an eigenimage, in the scene's normalised range; what varies less is left at nought
)


class Basis(NamedTuple):
    """Mean spectrum, r orthonormal spectra, and the spreads of the eigenimages; the leading axis may be 1 for all.

    Args:
        mean: of the bands.
        spectra: orthonormal columns, nought where the cube has fewer.
        spread: standard deviation of the first eigenimage, 1 where it is constant.
        shares: standard deviation of each eigenimage by that of the first, 1 where it is constant.
    """

    mean: Float[Tensor, "n c 1"]
    spectra: Float[Tensor, "n c r"]
    spread: Float[Tensor, "n 1 1"]
    shares: Float[Tensor, "n r 1 1"]

    def eigenimages(self, cube: Float[Tensor, "b c h w"]) -> Float[Tensor, "b r h w"]:
        """Coordinates of a cube, divided by the spread: the first has standard deviation 1, the others less."""
        images = self.spectra.mT @ (cube.flatten(2) - self.mean) / self.spread
        return images.unflatten(2, cube.shape[2:])

    def cube(self, eigenimages: Float[Tensor, "b r h w"]) -> Float[Tensor, "b c h w"]:
        """Back to bands, without the mean."""
        cube = self.spectra @ (eigenimages.flatten(2) * self.spread)
        return cube.unflatten(2, eigenimages.shape[2:])


@torch.no_grad()
def basis_of(cube: Float[Tensor, "b c h w"], rank: int, shared: bool = False) -> Basis:
    """The r principal spectra of each cube, in order of the variance they explain.

    The mean spectrum is taken out first: it needs no network, and eigenimages centred on nought look alike whatever the
    sensor and the number of bands. One scale for all keeps what each weighs in the cube. Each spectrum's sign is such
    that its sum is positive, so that the first eigenimage is bright where the scene is. Cubes of fewer than r bands get
    empty eigenimages.

    Args:
        cube: LR, any range.
        rank: r.
        shared: one basis for all cubes of the batch.
    """
    bands = cube.shape[1]
    spectra = cube.double().flatten(2)
    if shared:
        spectra = spectra.transpose(0, 1).flatten(1)[None]
    mean = spectra.mean(2, keepdim=True)
    centred = spectra - mean
    variances, vectors = torch.linalg.eigh(centred @ centred.mT / centred.shape[2])
    kept = min(rank, bands)
    variances, vectors = variances.flip(1)[:, :kept], vectors.flip(2)[:, :, :kept]
    seen = variances > SMALLEST_SPREAD**2
    vectors = vectors * torch.where(vectors.sum(1, keepdim=True) < 0, -1.0, 1.0) * seen[:, None]
    first = torch.where(seen[:, :1], variances[:, :1], 1.0).sqrt()
    shares = F.pad(torch.where(seen, variances.clamp_min(0).sqrt() / first, 1.0), (0, rank - kept), value=1.0)
    return Basis(
        mean.to(cube),
        F.pad(vectors, (0, rank - kept)).to(cube),
        first[..., None].to(cube),
        shares[..., None, None].to(cube),
    )


class Eigenimages(ImageToImage):
    """What a network of r channels adds to bicubic on the eigenimages is added to bicubic of the cube.

    Components beyond the r-th, and the mean spectrum, are thus interpolated; where the network is bicubic, all are.

    Args:
        network: of r channels, from eigenimages to enlarged ones; the first has standard deviation 1.
        apart: where it is not trained, the network gets the eigenimages one by one, each as the first, with standard
            deviation 1, and the others empty: what it has learned of first ones, which carry most of a training's loss,
            then serves all of them.
    """

    kind = "eigenimages"

    def __init__(self, network: ImageToImage, apart: bool = False) -> None:
        super().__init__()
        if network.channels is None:
            raise UserError(
                f"{type(network).__name__} takes any number of bands as it is",
                where="backbone.network",
                fix="put a network of r channels here",
            )
        self.network, self.rank, self.scale, self.channels = network, network.channels, network.scale, None
        self.multiple = network.multiple
        self.apart = apart
        self.architecture: dict[str, Any] = {
            "kind": self.kind,
            "network": network.architecture,
            "apart": apart,
        }

    def for_images(self, lr: Float[Tensor, "b c h w"], shared: bool = False) -> Upscale:
        """The network with the basis of these cubes."""
        return partial(self.forward, basis=basis_of(lr, self.rank, shared))

    def forward(self, lr: Float[Tensor, "b c h w"], basis: Basis | None = None) -> Float[Tensor, "b c hs ws"]:
        """Enlarge cubes of any size and number of bands; the result is not clipped.

        Args:
            lr: in the scene's normalised range.
            basis: None: each cube's own.
        """
        with torch.autocast(lr.device.type, enabled=False):  # half precision is for the network
            basis = basis or basis_of(lr, self.rank)
            images = basis.eigenimages(lr)
        enlarged = (
            self._one_by_one(images, basis.shares)
            if self.apart and not self.training
            else self.network(images)
        )
        with torch.autocast(lr.device.type, enabled=False):
            added = enlarged.to(images) - imresize(images, self.scale)
            return imresize(lr, self.scale) + basis.cube(added)

    def _one_by_one(
        self, images: Float[Tensor, "b r h w"], shares: Float[Tensor, "n r 1 1"]
    ) -> Float[Tensor, "b r hs ws"]:
        """Each eigenimage enlarged as if it were the first."""
        alone = torch.zeros_like(images)
        enlarged = []
        for component, share in zip(images.split(1, 1), shares.split(1, 1), strict=True):
            alone[:, :1] = component / share
            enlarged.append(self.network(alone)[:, :1] * share)
        return torch.cat(enlarged, 1)
