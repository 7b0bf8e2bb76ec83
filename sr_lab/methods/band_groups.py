"""Cubes whose blur changes with the wavelength: a kernel for each group of neighbouring bands."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from sr_lab.backbones.channelwise import solver_for
from sr_lab.data.sample import Restored, Sample
from sr_lab.errors import UserError
from sr_lab.methods.base import Method
from sr_lab.methods.eigenspace import EigenPictures
from sr_lab.methods.non_blind import noise_of, restored
from sr_lab.priors.base import KernelPrior
from sr_lab.priors.spectral.growth import tied
from sr_lab.priors.spectral.prior import Spectral


class BandGroups(Method):
    """Each group is restored in its own eigenimages, with a kernel of its own; the estimates obey one law.

    Args:
        prior: spectral: estimates on the first eigenimage of each group; oracle: the mean of the group's true kernels;
            or any other that needs no optimisation.
        solver: network called with (lr, kernel, scale, noise_level).
        groups: of neighbouring bands, of about equal number.
        components: eigenimages of each group that the solver restores.
        tie: let the widths of spectral estimates grow with the wavelength as diffraction does (see `growth.tied`), for
            which the cubes' wavelengths are taken; False: independent estimates.
        wavelengths: [first, last] in nm where a cube does not tell its own; evenly between.
        renormalise, noise_level: as in `NonBlind`.

    Raises:
        UserError: tie with a prior of other blurs than Gaussian ones.
    """

    def __init__(
        self,
        prior: KernelPrior,
        solver: nn.Module,
        groups: int = 6,
        components: int = 3,
        tie: bool = True,
        wavelengths: Sequence[float | int] = (400.0, 2500.0),
        renormalise: bool = True,
        noise_level: float | None = None,
    ) -> None:
        super().__init__()
        if min(groups, components) < 1:
            raise UserError(
                f"{groups} groups of {components} eigenimages", where="method.groups", fix="use 1 or more"
            )
        if tie and isinstance(prior, Spectral) and not prior.is_gaussian:
            raise UserError(
                "the law of growth is that of Gaussian blurs",
                where="method.tie",
                fix="set method.tie=false, or leave prior.family out",
            )
        self.prior, self.solver, self.groups, self.components = prior, solver, groups, components
        self.tie, self.wavelengths = tie, wavelengths
        self.renormalise, self.noise_level = renormalise, noise_level

    def restore(self, sample: Sample) -> Restored:
        """Restore cube by cube, group by group."""
        started = time.perf_counter()
        cubes = [self._cube(sample, index) for index in range(len(sample))]
        kernels = torch.cat([one for _, one in cubes])
        return Restored(
            torch.cat([sr for sr, _ in cubes]),
            kernels.mean(1, keepdim=True),
            seconds=time.perf_counter() - started,
            band_kernels=kernels,
        )

    def _cube(
        self, sample: Sample, index: int
    ) -> tuple[Float[Tensor, "1 c hs ws"], Float[Tensor, "1 c k k"]]:
        lr, image_id = sample.lr[index : index + 1], sample.image_ids[index]
        bands = torch.arange(lr.shape[1])
        parts = [part for part in bands.tensor_split(self.groups) if len(part)]
        nm = self._wavelengths(sample.meta.get(image_id, {}), len(bands))
        noise = noise_of(sample, self.noise_level)[index : index + 1]
        spaces = [EigenPictures.of(lr[:, part], self.components, noise) for part in parts]
        pictures = [space.pictures(lr[:, part]) for space, part in zip(spaces, parts, strict=True)]
        kernels = self._kernels(sample, index, parts, [picture[:, :1] for picture in pictures], nm)
        sr = []
        for part, space, picture, kernel in zip(parts, spaces, pictures, kernels, strict=True):
            one = Sample(picture, sample.scale, [image_id], grey=picture[:, :1])
            level = noise / space.basis.spread.flatten()
            solver = solver_for(self.solver, one)
            restored_pictures = restored(solver, one, kernel[None], level, self.degradation, self.renormalise)
            sr.append(space.cube(restored_pictures, lr[:, part], self.degradation))
        of_bands = [kernel.expand(len(part), -1, -1) for kernel, part in zip(kernels, parts, strict=True)]
        return torch.cat(sr, 1), torch.cat(of_bands)[None]

    def _kernels(
        self, sample: Sample, index: int, parts: list[Tensor], greys: list[Tensor], nm: Tensor
    ) -> Float[Tensor, "g 1 k k"]:
        """The kernels of the groups of one cube."""
        true = sample.band_kernels if sample.band_kernels is not None else sample.kernel
        if true is not None:
            every = true[index].expand(len(nm), -1, -1)
            true = torch.stack([every[part].mean(0, keepdim=True) for part in parts])
        name = sample.image_ids[index]
        names = [f"{name}, bands {int(part[0])}-{int(part[-1])}" for part in parts]
        seen = replace(
            sample,
            lr=torch.cat(greys),
            image_ids=names,
            hr=None,
            kernel=true,
            noise_level=None,
            grey=None,
            band_kernels=None,
        )
        self.prior.start(seen, self.degradation, [])
        if not (self.tie and isinstance(self.prior, Spectral)):
            return self.prior.kernel().detach()
        # a kernel is the mean over its group, whose covariance goes with the mean square
        middles = torch.stack([nm[part].square().mean().sqrt() for part in parts])
        self.prior.estimates, _ = tied(self.prior.estimates, middles)
        return self.prior.lowered(torch.full((len(parts),), self.prior.caution)).to(sample.lr)

    def _wavelengths(self, facts: dict[str, Any], bands: int) -> Float64[Tensor, " c"]:
        """Those of the cube, or those that are assumed."""
        known = facts.get("wavelengths")
        if known is not None:
            return torch.as_tensor(known, dtype=torch.float64)
        first, last = self.wavelengths
        return torch.linspace(first, last, bands, dtype=torch.float64)
