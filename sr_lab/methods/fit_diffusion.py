"""Training of residual-shift diffusion on patches degraded on the fly, and its distillation into one step."""

import copy
import time

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.backbones.diffusion_network import DiffusionNetwork
from sr_lab.backbones.latent_diffusion import LatentDiffusion
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation, Degraded, keyed_generator
from sr_lab.diffusion.guidance import Guidance, Prediction, Unguided
from sr_lab.diffusion.residual_shift import Latent
from sr_lab.errors import UserError
from sr_lab.methods.diffusion import restored
from sr_lab.methods.patch_training import PatchTraining


class FitDiffusion(PatchTraining):
    """Squared error of the clean latent at a random step, under guidance.

    Tested as it will be used: by the whole chain, and by one step as stage `one_step`.

    Args:
        backbone: the network.
        max_steps: length of the cosine schedule.
        guidance: what else than the squared error counts; None: nothing.
        validation_steps: of the chain, on validation images.
        lr, weight_decay: of AdamW.
        warmup: steps of linear warm-up.
        tile: of restoration; see `Diffusion`.

    Raises:
        UserError: the published networks.
    """

    stream = "diffusion"

    def __init__(
        self,
        backbone: DiffusionNetwork,
        max_steps: int,
        guidance: Guidance | None = None,
        validation_steps: int = 1,
        lr: float = 2e-4,
        weight_decay: float = 0.0,
        warmup: int = 200,
        tile: int | None = 64,
    ) -> None:
        if not isinstance(backbone, LatentDiffusion):
            raise UserError(
                "this network can be used, and not trained: a checkpoint could not say what it is",
                where="backbone",
                fix="use backbone=latent_diffusion, of the published width if you like, or trained_diffusion",
            )
        super().__init__(backbone, max_steps, lr, weight_decay, warmup)
        self.guidance = guidance or Unguided()
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
        zy = net.encode(net.enlarge(lr, degradation.anchor, degradation.phase))
        noise, generator = self.noise(z0)
        step = torch.randint(net.schedule.steps, (len(z0),), generator=generator).to(z0.device)
        return self.guided(net.schedule.noised(z0, zy, step, noise), step, zy, degraded.lr, z0, hr)

    def guided(
        self, noisy: Latent, step: Tensor, zy: Latent, lr: Tensor, target: Latent, hr: Tensor
    ) -> Float[Tensor, ""]:
        """The training loss of one prediction."""
        net = self.network
        noisy = noisy.requires_grad_(self.guidance.through_network)
        found = net(noisy, step, zy, lr)
        factor = net.schedule.factor(step)
        loss, terms = self.guidance(Prediction(found, target, noisy, factor, net.decode, hr))
        self.log("latent_mse", (found.detach() - target).square().mean(), prog_bar=True)
        self.log_dict(terms)
        return loss

    def validation_step(self, batch: Sample, batch_idx: int) -> None:
        """PSNR over all channels of whole degraded images, by few steps."""
        self.validate(batch, self._chain(batch, self.validation_steps))

    def restore(self, sample: Sample) -> Restored:
        """Enlarge by the whole chain, and by one step."""
        started = time.perf_counter()
        sr = self._chain(sample, self.network.schedule.steps)
        seconds = time.perf_counter() - started
        return Restored(sr, seconds=seconds, stages={"one_step": self._chain(sample, 1)})

    def _chain(self, sample: Sample, steps: int) -> Float[Tensor, "b c hs ws"]:
        generators = self.generators(sample)
        return restored(self.network, sample, self.degradation, generators, steps, tile=self.tile)


class DistilDiffusion(FitDiffusion):
    """One step learns what the whole deterministic chain of the network it starts from makes of the same noise.

    Args: as `FitDiffusion`; `backbone` is a trained network, and its copy the teacher.

    Source: SinSR (Wang et al., CVPR 2024), its distillation term; guidance as in DifIISR (CVPR 2025).
    """

    stream = "distillation"

    def __init__(
        self,
        backbone: DiffusionNetwork,
        max_steps: int,
        guidance: Guidance | None = None,
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
        enlarged = net.enlarge(lr, degradation.anchor, degradation.phase)
        zy = net.encode(enlarged)
        noise, _ = self.noise(zy)
        z = start = net.schedule.start(zy, noise)
        with torch.no_grad():
            for k in reversed(range(last + 1)):
                step = torch.full((len(lr),), k, device=lr.device)
                z = net.schedule.deterministic_step(self.teacher(z, step, zy, lr), z, zy, step)
        return self.guided(start, torch.full((len(lr),), last, device=lr.device), zy, lr, z, hr)

    def restore(self, sample: Sample) -> Restored:
        """Enlarge by one step."""
        started = time.perf_counter()
        return Restored(self._chain(sample, 1), seconds=time.perf_counter() - started)
