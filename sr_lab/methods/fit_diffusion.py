"""Training of residual-shift diffusion on patches degraded on the fly, and its distillation into one step."""

import copy
import time

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.latent_diffusion import LatentDiffusion
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation, Degraded, keyed_generator
from sr_lab.degradation.resample import bicubic_upsample_aligned
from sr_lab.losses.weighted import WeightedLosses
from sr_lab.methods.diffusion import restored
from sr_lab.methods.patch_training import PatchTraining


class FitDiffusion(PatchTraining):
    """Squared error of the clean latent at a random step, plus guidance: losses of the decoded image, added.

    Args:
        backbone: the network.
        max_steps: length of the cosine schedule.
        guidance: weights of losses by name, see `losses.weighted`; empty: none.
        validation_steps: of the chain, when whole images are restored.
        lr, weight_decay: of AdamW.
        warmup: steps of linear warm-up.
        tile: of restoration; see `Diffusion`.
    """

    stream = "diffusion"

    def __init__(
        self,
        backbone: LatentDiffusion,
        max_steps: int,
        guidance: dict[str, float] | None = None,
        validation_steps: int = 5,
        lr: float = 2e-4,
        weight_decay: float = 0.0,
        warmup: int = 200,
        tile: int | None = 64,
    ) -> None:
        super().__init__(backbone, max_steps, lr, weight_decay, warmup)
        self.guidance = WeightedLosses(guidance) if guidance and any(guidance.values()) else None
        self.validation_steps, self.tile = validation_steps, tile

    @property
    def network(self) -> LatentDiffusion:
        """The backbone, by what it is."""
        assert isinstance(self.backbone, LatentDiffusion)
        return self.backbone

    def degradations(self) -> list[Degradation]:
        """The run's own."""
        return [self.degradation]

    def noise(self, like: Tensor) -> tuple[Tensor, torch.Generator]:
        """Standard normal noise of this training step, and the generator it came from."""
        generator = keyed_generator(self.seed, f"{self.global_step}/{self.global_rank}", "noise")
        return torch.randn(like.shape, generator=generator).to(like), generator

    def loss(
        self, degraded: Degraded, degradation: Degradation, hr: Float[Tensor, "b c p p"]
    ) -> Float[Tensor, ""]:
        """At one random step an image; each term is logged under its name."""
        net, lr = self.network, degraded.lr
        z0 = net.encode(hr)
        zy = net.encode(bicubic_upsample_aligned(lr, net.scale, degradation.anchor, degradation.phase))
        noise, generator = self.noise(z0)
        step = torch.randint(net.schedule.steps, (len(z0),), generator=generator).to(z0.device)
        found = net(net.schedule.noised(z0, zy, step, noise), step, zy, lr)
        loss = (found - z0).square().mean()
        self.log("latent_mse", loss, prog_bar=True)
        return loss + self.guide(found, hr)

    def guide(self, z0: Tensor, hr: Tensor) -> Tensor:
        """The weighted losses of the image that a latent stands for."""
        if self.guidance is None:
            return z0.new_zeros(())
        total, terms = self.guidance(self.network.decode(z0), hr)
        self.log_dict(terms)
        return total

    def restore(self, sample: Sample) -> Restored:
        """Enlarge."""
        started = time.perf_counter()
        generators = self.generators(sample)
        sr = restored(
            self.network, sample, self.degradation, generators, self.validation_steps, tile=self.tile
        )
        return Restored(sr, seconds=time.perf_counter() - started)


class DistilDiffusion(FitDiffusion):
    """One step learns what the whole deterministic chain of the network it starts from makes of the same noise.

    Args: as `FitDiffusion`; `backbone` is a trained network, and its copy the teacher.

    Source: SinSR (Wang et al., CVPR 2024), its distillation term; DifIISR's code adds guidance to it.
    """

    stream = "distillation"

    def __init__(
        self,
        backbone: LatentDiffusion,
        max_steps: int,
        guidance: dict[str, float] | None = None,
        lr: float = 5e-5,
        weight_decay: float = 0.0,
        warmup: int = 100,
        tile: int | None = 64,
    ) -> None:
        super().__init__(backbone, max_steps, guidance, 1, lr, weight_decay, warmup, tile)
        self.teacher = copy.deepcopy(self.network).requires_grad_(False).eval()

    def loss(
        self, degraded: Degraded, degradation: Degradation, hr: Float[Tensor, "b c p p"]
    ) -> Float[Tensor, ""]:
        """Squared error to the teacher's latent, plus guidance by the HR image."""
        net, lr, last = self.network, degraded.lr, self.network.schedule.steps - 1
        enlarged = bicubic_upsample_aligned(lr, net.scale, degradation.anchor, degradation.phase)
        zy = net.encode(enlarged)
        noise, _ = self.noise(zy)
        z = start = net.schedule.start(zy, noise)
        with torch.no_grad():
            for k in reversed(range(last + 1)):
                step = torch.full((len(lr),), k, device=lr.device)
                z = net.schedule.deterministic_step(self.teacher(z, step, zy, lr), z, zy, step)
        found = net(start, torch.full((len(lr),), last, device=lr.device), zy, lr)
        loss = (found - z).square().mean()
        self.log("distillation_mse", loss, prog_bar=True)
        return loss + self.guide(found, hr)
