"""KernelGAN-FKP as a kernel prior: a kernel flow's code in place of the generator, against a Wasserstein critic."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from sr_lab.backbones.ops.memory import keep_freed_memory
from sr_lab.degradation.anchor import Anchor, default_kernel_size, to_anchor
from sr_lab.errors import UserError
from sr_lab.priors.flow import KernelFlow
from sr_lab.priors.kernelgan.critic import Critic, gradient_penalty
from sr_lab.priors.kernelgan.crops import crops_of_both_sizes, room
from sr_lab.priors.kernelgan.cross_scale import CrossScale
from sr_lab.priors.kernelgan.generator import halve, halved_side
from sr_lab.weights.store import load_weights


class KernelGANFKP(CrossScale):
    """Kernels of a flow, found by a code on a sphere.

    Args:
        weights: name in `sr-lab weights list`, or a path, of a flow trained for x2, whatever the scale.
        iterations: None is published: 1000 for x2, 4000 for x4.
        lr: Adam step size of the code.
        critic_lr: Adam step size of the critic.
        beta1: of both Adams.
        critic_steps: steps of the critic an iteration, on the same crops.
        code_steps: steps of the code an iteration, by one gradient: its crops and critic stay the same.
        batch: pairs of crops an iteration.
        penalty: weight of the gradient penalty.
        crop: side of the crops that are halved.
        border: LR pixels left out at the image's edges, where a synthetic blur met what lies beyond; 0 for photographs
            as they come.
        radius: of the sphere; None is k - 1.

    Source: Liang et al., CVPR 2021, KernelGAN-FKP as released.
    """

    def __init__(
        self,
        weights: str = "fkp_x2",
        iterations: int | None = None,
        lr: float = 5e-4,
        critic_lr: float = 5e-4,
        beta1: float = 0.5,
        critic_steps: int = 3,
        code_steps: int = 3,
        batch: int = 64,
        penalty: float = 0.1,
        crop: int = 64,
        border: int = 10,
        radius: float | None = None,
    ) -> None:
        super().__init__(lr)
        self.flow = KernelFlow.from_state_dict(load_weights(weights).state, where=weights).requires_grad_(
            False
        )
        if self.flow.side != default_kernel_size(2):
            raise UserError(
                f"the flow makes {self.flow.side}x{self.flow.side} kernels, one for x2 makes 11x11",
                where="prior.weights",
                fix="choose fkp_x2 at every scale: x4 kernels are derived from x2 ones",
            )
        self.iterations, self.critic_lr, self.beta1 = iterations, critic_lr, beta1
        self.critic_steps, self.code_steps = critic_steps, code_steps
        self.batch, self.penalty, self.crop, self.border = batch, penalty, crop, border
        self.radius = radius if radius is not None else self.flow.side - 1.0

    def halving(
        self,
        image: Float[Tensor, "1 c h w"],
        image_id: str,
        scale: int,
        anchor: Anchor,
        generator: torch.Generator,
    ) -> Float[Tensor, "1 1 k k"]:
        """Train; the kernel is the flow's own, neither moved nor divided by its sum, as published."""
        side, border = room(image.shape[-2], image.shape[-1], self.crop, self.border, image_id)
        device = image.device
        if device.type == "cpu":
            keep_freed_memory()
        self.flow.to(device)
        wide, small = crops_of_both_sizes(image, side, halved_side(side, self.flow.side), border)
        code = nn.Parameter(torch.randn(1, self.flow.dimension, generator=generator).to(device))
        critic = Critic(image.shape[1], generator).to(device)
        betas = (self.beta1, 0.999)
        shaper = torch.optim.Adam([code], lr=self.lr, betas=betas, fused=True)
        judge = torch.optim.Adam(critic.parameters(), lr=self.critic_lr, betas=betas, fused=True)
        iterations = self.iterations or (1000 if scale == 2 else 4000)
        for _ in tqdm(range(iterations), desc=f"KernelGAN-FKP, {image_id}", leave=False, disable=None):
            crops, real = wide.draw(self.batch, generator), small.draw(self.batch, generator)
            fake = halve(crops, self._kernel(code, anchor))

            for _ in range(self.critic_steps):
                mix = torch.rand((), generator=generator).item()
                loss = critic(fake.detach()).mean() - critic(real).mean()
                loss = loss + self.penalty * gradient_penalty(critic, real, fake, mix)
                judge.zero_grad()
                loss.backward()
                judge.step()

            shaper.zero_grad()
            (-critic(fake).mean()).backward(inputs=[code])  # the critic's gradients are not needed
            for _ in range(self.code_steps):
                shaper.step()
                self._to_sphere(code)
        return self._kernel(code, anchor).detach()

    def _kernel(self, code: Float[Tensor, "1 d"], anchor: Anchor) -> Float[Tensor, "1 1 k k"]:
        return to_anchor(self.flow.decode(code), anchor)

    @torch.no_grad()
    def _to_sphere(self, code: Float[Tensor, "1 d"]) -> None:
        code.mul_(self.radius / torch.sqrt((code**2).sum() + 1e-9))
