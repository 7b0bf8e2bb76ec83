"""Training of LSRGAN: losses by pixel first, then against a discriminator as well."""

import copy
import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor

from sr_lab.backbones.image_to_image import ImageToImage
from sr_lab.backbones.lsrgan import LSRGAN, Discriminator
from sr_lab.backbones.trained import load_network
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation, Degraded
from sr_lab.errors import UserError
from sr_lab.io.complex import intensity
from sr_lab.losses import radar
from sr_lab.losses.weighted import WeightedLosses
from sr_lab.methods.feedforward import TILE, enlarged
from sr_lab.methods.fit_radar import FitRadar

Targets = Literal["noisy", "despeckled"]


class FitLSRGAN(FitRadar):
    """Losses between logarithms of intensity, and from `pixel_steps` on a discriminator of decibel patches.

    Restoration gives the generator after the GAN, and as stage `pixel` the one before it. Optimisation is manual: two
    optimisers step on one backward pass.

    Args:
        backbone: the generator.
        max_steps: of both parts.
        pixel_steps: steps before the discriminator comes in; None: all.
        losses: weights by name; see `losses.radar`.
        targets: `noisy`: HR with its speckle. `despeckled`: what `teacher` makes of HR.
        teacher: weights of a network at x1 that reads complex images; of `despeckled` alone.
        adversarial: weight of the discriminator's opinion.
        discriminator_width: of its first convolution.
        lr: Adam's step size at the start of the first part, on a cosine to zero.
        gan_lr: of both networks in the second, on a cosine to zero.
        weight_decay: of AdamW.
        warmup: steps of linear warm-up.
        clip: greatest norm of the generator's gradient.
        tile: of restoration; see `Feedforward`.

    Raises:
        UserError: an unknown loss; `despeckled` without a teacher at x1, or a teacher without it.
    """

    stream = "lsrgan"

    def __init__(
        self,
        backbone: ImageToImage,
        max_steps: int,
        losses: dict[str, float],
        pixel_steps: int | None = None,
        targets: Targets = "noisy",
        teacher: str | None = None,
        adversarial: float = 0.1,
        discriminator_width: int = 64,
        lr: float = 1e-3,
        gan_lr: float = 2e-4,
        weight_decay: float = 0.0,
        warmup: int = 100,
        clip: float = 1.0,
        tile: int | None = TILE,
    ) -> None:
        super().__init__(backbone, "amplitude", max_steps, lr, weight_decay, warmup, tile)
        self.automatic_optimization = False
        self.losses = WeightedLosses(losses, radar.LOSSES)
        self.pixel_steps = max_steps if pixel_steps is None else min(pixel_steps, max_steps)
        self.adversarial, self.gan_lr, self.clip = adversarial, gan_lr, clip
        self.discriminator = Discriminator(discriminator_width) if self.pixel_steps < max_steps else None
        self.before = copy.deepcopy(self.network).requires_grad_(False)
        self.teacher = _teacher(targets, teacher)

    def training_step(self, batch: Float[Tensor, "b c p p"], batch_idx: int) -> Tensor:
        """One backward pass, and a step of the generator and of the discriminator where it has come in."""
        adversarial = self.adversarial_now
        if self.global_step == self.pixel_steps:
            self.before.load_state_dict(self.network.state_dict())
        found = self.optimizers()
        optimisers: list[LightningOptimizer] = found if isinstance(found, list) else [found]
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.rate(self.global_step)
            optimiser.zero_grad()
        loss = self.loss(*self.degraded(batch))
        self.manual_backward(loss)
        self.clip_gradients(optimisers[0].optimizer, self.clip, "norm")
        optimisers[0].step()
        if adversarial:
            optimisers[1].optimizer.step()  # past Lightning, which would count it as a step of the training
        self.log("loss", loss.detach(), prog_bar=True)
        return loss.detach()

    def loss(
        self, degraded: Degraded, degradation: Degradation, hr: Float[Tensor, "b c p p"]
    ) -> Float[Tensor, ""]:
        """By pixel, and of the discriminator's game once it has come in; each term is logged under its name."""
        lr, hr = self.without_margin(degraded.lr, hr)
        sr, target = self.network.of_power(intensity(lr)), self.target(hr)
        loss, terms = self.losses(sr, target)
        self.log_dict(terms)
        if self.discriminator is not None:
            loss = loss + (self._game(sr, target) if self.adversarial_now else self._nothing())
        return loss

    @property
    def adversarial_now(self) -> bool:
        """Whether the discriminator has come in."""
        return self.discriminator is not None and self.global_step >= self.pixel_steps

    @torch.no_grad()
    def target(self, hr: Float[Tensor, "b c p p"]) -> Float[Tensor, "b 1 p p"]:
        """The logarithm of HR's intensity, with its speckle or without; not below the network's range."""
        power = intensity(hr) if self.teacher is None else self.teacher(hr).square()
        decibels = self.network.decibels
        return decibels.log_intensity(decibels.forward(power))

    def rate(self, step: int) -> float:
        """Step size: two cosines, the first after a warm-up."""
        if step < self.pixel_steps:
            rise = min(1.0, (step + 1) / max(1, self.warmup))
            return self.lr * rise * _cosine(step / self.pixel_steps)
        return self.gan_lr * _cosine((step - self.pixel_steps) / (self.max_steps - self.pixel_steps))

    def configure_optimizers(self) -> Any:
        """AdamW for the generator, and for the discriminator."""
        return [
            torch.optim.AdamW(network.parameters(), lr=self.lr, weight_decay=self.weight_decay)
            for network in (self.network, self.discriminator)
            if network is not None
        ]

    def generators_trained(self) -> list[LSRGAN]:
        """The generator, and what it was before the discriminator."""
        return [self.network] if self.discriminator is None else [self.network, self.before]

    def restore(self, sample: Sample) -> Restored:
        """Enlarge by the generator as it is, and as it was before the discriminator."""
        restored = super().restore(sample)
        if self.discriminator is not None:
            restored.stages["pixel"] = enlarged(self.before, sample, self.degradation, self.tile)
        return restored

    def _game(self, sr: Tensor, target: Tensor) -> Tensor:
        """What the generator and the discriminator lose; the gradient of each stays with its own."""
        assert self.discriminator is not None
        fake, real = (self.network.decibels.of_log_intensity(log).clamp_min(0) for log in (sr, target))
        self.discriminator.requires_grad_(False)
        fooled = F.softplus(-self.discriminator(fake)).mean()
        self.discriminator.requires_grad_(True)
        told = (
            F.softplus(-self.discriminator(real)).mean()
            + F.softplus(self.discriminator(fake.detach())).mean()
        )
        self.log_dict({"fooled": fooled, "told": told}, prog_bar=True)
        return self.adversarial * fooled + told

    def _nothing(self) -> Tensor:
        """0 of the discriminator's parameters: processes in step wait for a gradient of every one."""
        assert self.discriminator is not None
        return sum(0 * parameter.sum() for parameter in self.discriminator.parameters())  # pyright: ignore[reportReturnType]


def _cosine(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


def _teacher(targets: Targets, weights: str | None) -> LSRGAN | None:
    if targets == "noisy":
        if weights is not None:
            raise UserError(
                "a teacher makes despeckled targets",
                where="method.teacher",
                fix="set method.targets=despeckled",
            )
        return None
    network = None if weights is None else load_network(weights)
    if not isinstance(network, LSRGAN) or network.scale != 1:
        raise UserError(
            "despeckled targets need an LSRGAN at x1",
            where="method.teacher",
            fix="train one: sr-lab run experiment=train_sar_merlin scale=1 save_weights=despeckle, and name it here",
        )
    return network.requires_grad_(False)
