"""FKP as a kernel prior: a code on a sphere in the latent space of a trained kernel flow."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import Anchor, to_anchor
from sr_lab.degradation.chain import Degradation
from sr_lab.errors import UserError
from sr_lab.priors.base import KernelPrior, kernel_size_of, same_size
from sr_lab.priors.flow import flow_from, scale_of
from sr_lab.weights.store import load_weights

FIT_STEPS, FIT_LR = 100, 0.1  # of the fit that follows the encoding


class FKP(KernelPrior):
    """Kernel prior of DIP-FKP: kernel = flow^-1(code), code kept on the sphere of radius k - 1.

    Args:
        weights: name in `sr-lab weights list`, or a path, of a flow trained for the scale. Its window is that
            of the kernels, whatever the degradation's.
        lr: Adam step size on the code.
        first_update: 77 repeats the published freeze (a flag set after 75 iterations, read a forward later).
        radius: of the sphere; default k - 1.
        renormalise: divide the kernel by its sum (published: no; sums run from 0.7 to 1.3).

    Source: Liang et al., CVPR 2021, section 3.3; spherical optimisation after Menon et al. (PULSE).
    """

    code: nn.Parameter

    def __init__(
        self,
        weights: str,
        lr: float = 0.5,
        first_update: int = 77,
        radius: float | None = None,
        renormalise: bool = False,
    ) -> None:
        super().__init__(lr, first_update)
        checkpoint = load_weights(weights)
        self.flow = flow_from(checkpoint, weights).requires_grad_(False)
        self.scale = scale_of(checkpoint, self.flow)
        self.radius = radius if radius is not None else self.flow.radius
        self.renormalise = renormalise
        self.anchor: Anchor = "fkp"

    def start(self, sample: Sample, degradation: Degradation, generators: list[torch.Generator]) -> None:
        """Draw codes from N(0, I)."""
        size = kernel_size_of(sample, degradation)
        fix = (
            "choose the flow of this scale (fkp_x2, fkp_x3, fkp_x4), or train one: experiment=train_fkp_files"
        )
        if self.scale is not None and self.scale != degradation.scale:
            what = f"the flow was trained for x{self.scale}, the degradation is x{degradation.scale}"
            raise UserError(what, where="prior.weights", fix=fix)
        if self.scale is None and size != self.flow.side:  # its window is the only hint at what it is for
            what = f"the flow makes {self.flow.side}x{self.flow.side} kernels, the degradation {size}x{size}"
            raise UserError(what, where="prior.weights", fix=fix)
        self.anchor = degradation.anchor
        codes = torch.stack([torch.randn(self.flow.dimension, generator=g) for g in generators])
        self.code = nn.Parameter(codes.to(sample.lr.device))
        self.flow.to(sample.lr.device)

    def start_from(self, kernel: Float[Tensor, "b 1 k k"]) -> None:
        """Encode the kernels, move the codes to the sphere, and fit them there by a few steps of Adam."""
        same_size(kernel, self.flow.side)
        power = kernel.square().sum((1, 2, 3))
        with torch.no_grad():
            self.code.copy_(self.flow.encode(self.flow.preprocess(to_anchor(kernel, self.anchor))))
        self.after_step()
        adam = torch.optim.Adam([self.code], lr=FIT_LR)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, FIT_STEPS)
        for _ in range(FIT_STEPS):
            adam.zero_grad()
            ((self.kernel() - kernel).square().sum((1, 2, 3)) / power).sum().backward()
            adam.step()
            schedule.step()
            self.after_step()
        adam.zero_grad()

    def kernel(self) -> Float[Tensor, "b 1 k k"]:
        """Decode the codes."""
        kernel = to_anchor(self.flow.decode(self.code), self.anchor)
        return kernel / kernel.sum((-2, -1), keepdim=True) if self.renormalise else kernel

    @torch.no_grad()
    def after_step(self) -> None:
        """Rescale each code to the sphere."""
        self.code.mul_(self.radius / torch.sqrt((self.code**2).sum(-1, keepdim=True) + 1e-9))
