"""KernelGAN as a kernel prior: a deep linear generator against a patch discriminator, on one image."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from sr_lab.backbones.ops.threads import one_thread
from sr_lab.degradation.anchor import Anchor, anchor_centre, default_kernel_size
from sr_lab.priors.kernelgan.crops import crops_of_both_sizes, room
from sr_lab.priors.kernelgan.cross_scale import CrossScale
from sr_lab.priors.kernelgan.discriminator import PatchDiscriminator
from sr_lab.priors.kernelgan.generator import SIDE, DeepLinear, halve, halved_side
from sr_lab.priors.kernelgan.regularisers import Regularisers, Schedule, bicubic_halving
from sr_lab.priors.kernelgan.shaping import recentred, thinned


class KernelGAN(CrossScale):
    """Any 13x13 kernel, held together by regularisers.

    Two faults of the released code are not repeated: its noise on the real crops went into the image itself and
    piled up there, and it cut the kernel about another centre than the one its regularisers aim at.

    Args:
        iterations: steps of the generator, each followed by one of the discriminator.
        lr: Adam step size of both.
        beta1: of both Adams.
        lr_every: iterations after which the step size is divided, again and again.
        lr_divisor: what it is divided by.
        crop: side of the crops that are halved.
        border: LR pixels left out at the image's edges, where a synthetic blur met what lies beyond; 0 for photographs
            as they come.
        noise: standard deviation of the noise on what the discriminator sees, in units of [0, 1] for real crops
            and of [-1, 1] for halved ones.
        keep: so many of the kernel's values count fully when the others are thinned out.
        thin: share of the next largest value by which all are lowered.
        regularisers: weights and their schedule.

    Source: Bell-Kligler et al., NeurIPS 2019, with the counts and weights of FKP's repository.
    """

    def __init__(
        self,
        iterations: int = 3000,
        lr: float = 2e-4,
        beta1: float = 0.5,
        lr_every: int = 750,
        lr_divisor: float = 10.0,
        crop: int = 64,
        border: int = 10,
        noise: float = 1 / 255,
        keep: int = 40,
        thin: float = 0.75,
        regularisers: Regularisers | None = None,
    ) -> None:
        super().__init__(lr)
        self.iterations, self.beta1 = iterations, beta1
        self.lr_every, self.lr_divisor = lr_every, lr_divisor
        self.crop, self.border, self.noise = crop, border, noise
        self.keep, self.thin = keep, thin
        self.regularisers = regularisers or Regularisers()

    def halving(
        self,
        image: Float[Tensor, "1 c h w"],
        image_id: str,
        scale: int,
        anchor: Anchor,
        generator: torch.Generator,
    ) -> Float[Tensor, "1 1 k k"]:
        """Train, thin out, and move to the anchor."""
        side, border = room(image.shape[-2], image.shape[-1], self.crop, self.border, image_id)
        with one_thread():
            kernel = self._train(image, side, border, image_id, generator)
        size = default_kernel_size(2)
        return recentred(thinned(kernel, self.keep, self.thin), size, anchor_centre(size, 2, anchor))

    def _train(
        self, image: Tensor, side: int, border: int, image_id: str, generator: torch.Generator
    ) -> Float[Tensor, "1 1 13 13"]:
        device = image.device
        wide, small = crops_of_both_sizes(image, side, halved_side(side, SIDE), border)
        network = DeepLinear(generator).to(device)
        discriminator = PatchDiscriminator(image.shape[1], generator).to(device)
        options = {"lr": self.lr, "betas": (self.beta1, 0.999), "fused": True}
        shaper = torch.optim.Adam(network.parameters(), **options)
        judge = torch.optim.Adam(discriminator.parameters(), **options)
        bicubic, schedule = bicubic_halving(SIDE).to(device), Schedule(self.regularisers)
        bar = tqdm(range(1, self.iterations + 1), desc=f"KernelGAN, {image_id}", leave=False, disable=None)
        for iteration in bar:
            crop = wide.draw(1, generator) * 2 - 1
            real = self._noisy(small.draw(1, generator), generator) * 2 - 1

            kernel = network.kernel()
            fake = halve(crop, kernel)
            from_bicubic = F.mse_loss(fake, halve(crop, bicubic))
            loss = 1 - discriminator(fake).mean() + schedule.penalty(kernel, from_bicubic)
            shaper.zero_grad()
            loss.backward(inputs=list(network.parameters()))  # the discriminator's gradients are not needed
            shaper.step()

            with torch.no_grad():
                fake = self._noisy(halve(crop, network.kernel()), generator)
            loss = (1 - discriminator(real).mean() + discriminator(fake).mean()) / 2
            judge.zero_grad()
            loss.backward()
            judge.step()

            schedule.update(iteration, from_bicubic)
            if iteration % self.lr_every == 0:
                for group in (*shaper.param_groups, *judge.param_groups):
                    group["lr"] /= self.lr_divisor
        return network.kernel().detach()

    def _noisy(self, image: Tensor, generator: torch.Generator) -> Tensor:
        return image + self.noise * torch.randn(image.shape, generator=generator).to(image)
