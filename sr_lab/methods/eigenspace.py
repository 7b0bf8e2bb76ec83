"""Methods for pictures on cubes of any number of bands: they see the leading eigenimages of the LR cube."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.eigenimages import Basis, basis_of
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.resample import bicubic_upsample_aligned
from sr_lab.methods.base import Method

FILLED = 0.9  # part of [0, 1] that LR eigenimages take, so that SR ones may go beyond them


@dataclass(frozen=True)
class EigenPictures:
    """Eigenimages of cubes as pictures in [0, 1], all of a cube divided by one number, and the way back.

    A blur shared by the bands commutes with every mixing of bands, so the pictures have the blur of the cube; one
    divisor keeps what each of them weighs in it.

    Args:
        basis: of the LR cubes; its spread is the divisor.
        offset: added to each eigenimage.
        kept: part of the components beyond the basis that is interpolated; of noise nothing.
    """

    basis: Basis
    offset: Float[Tensor, "b r 1 1"]
    kept: Float[Tensor, "b 1 1 1"]

    @classmethod
    def of(
        cls, lr: Float[Tensor, "b c h w"], rank: int, noise_level: Float[Tensor, " b"] | None = None
    ) -> "EigenPictures":
        """Those of LR cubes: the widest eigenimage of each takes `FILLED` of the range, about its middle.

        Args:
            lr: any range.
            rank: r; cubes of fewer bands get as many constant pictures as they lack.
            noise_level: standard deviation of the noise, the same in all bands; None: there is none.
        """
        basis = basis_of(lr, rank)
        images = basis.eigenimages(lr)
        low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
        widest = (high - low).amax(1)
        divisor = torch.where(widest > 0, widest, 1.0) / FILLED
        offset = 0.5 - (low + high) / (2 * divisor[..., None])
        kept = torch.ones_like(divisor[..., None])
        if noise_level is not None and bool((noise_level > 0).any()):
            # Wiener's factor, for all of the rest alike
            beyond = _beyond(basis, lr).square().mean((1, 2, 3), keepdim=True)
            noise = noise_level.to(lr).square().view(-1, 1, 1, 1)
            kept = (1 - noise / beyond.clamp_min(1e-12)).clamp(0, 1)
        return cls(basis._replace(spread=basis.spread * divisor), offset, kept)

    def pictures(self, cube: Float[Tensor, "b c h w"]) -> Float[Tensor, "b r h w"]:
        """The pictures of cubes of any size."""
        return self.basis.eigenimages(cube) + self.offset

    def cube(
        self, pictures: Float[Tensor, "b r hs ws"], lr: Float[Tensor, "b c h w"], degradation: Degradation
    ) -> Float[Tensor, "b c hs ws"]:
        """SR cubes of SR pictures: what these add to bicubic of the LR pictures, on bicubic of the LR cubes."""
        where = degradation.scale, degradation.anchor, degradation.phase
        added = pictures - bicubic_upsample_aligned(self.pictures(lr), *where)
        return bicubic_upsample_aligned(self.quiet(lr), *where) + self.basis.cube(added)

    def quiet(self, lr: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The LR cubes without what is noise beyond the basis."""
        if bool((self.kept == 1).all()):
            return lr
        return lr - (1 - self.kept) * _beyond(self.basis, lr)


def _beyond(basis: Basis, cube: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """What of cubes the basis does not hold."""
    return cube - basis.mean[..., None] - basis.cube(basis.eigenimages(cube))


class InEigenspace(Method):
    """A method for pictures, on the eigenimages of cubes; what lies beyond them and is no noise is interpolated.

    Kernels are estimated on the first eigenimage: of all mixtures of bands it has the most contrast.

    Args:
        method: restores pictures with a blur.
        rank: r, eigenimages that the method sees.
    """

    def __init__(self, method: Method, rank: int) -> None:
        super().__init__()
        self.method, self.rank = method, rank

    def bind(self, degradation: Degradation, seed: int) -> None:
        """Tell the inner method as well."""
        super().bind(degradation, seed)
        self.method.bind(degradation, seed)

    def restore(self, sample: Sample) -> Restored:
        """Project, restore, and go back to bands."""
        lr = sample.lr
        noise = sample.noise_level
        space = EigenPictures.of(lr, self.rank, noise)
        pictures = space.pictures(lr)
        restored = self.method.restore(
            replace(
                sample,
                lr=pictures,
                hr=None,  # its pictures are no ground truth: components are missing
                grey=pictures[:, :1],
                noise_level=None if noise is None else noise / space.basis.spread.flatten(),
                band_kernels=None,
            )
        )
        return replace(
            restored,
            sr=space.cube(restored.sr, lr, self.degradation),
            stages={name: space.cube(image, lr, self.degradation) for name, image in restored.stages.items()},
        )
