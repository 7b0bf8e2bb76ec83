"""Training of the FKP flow by maximum likelihood on kernels drawn on the fly."""

from collections.abc import Iterator
from typing import Any, Literal, Protocol

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from pytorch_lightning.callbacks import EarlyStopping
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.chain import KernelSampler, keyed_generator
from sr_lab.errors import UserError
from sr_lab.priors.flow import PUBLISHED_LEVELS, KernelFlow, published_hidden
from sr_lab.weights.store import Checkpoint

_NOISE = 0.01  # of the kernel's mass: what dequantisation may add where its levels are chosen here


class LearnableKernels(KernelSampler, Protocol):
    """A sampler that a flow can learn, and be validated on: `GaussianKernels`, `KernelPool`."""

    @property
    def scale(self) -> int:
        """Decimation s that the anchor refers to."""
        ...

    @property
    def anchor(self) -> Anchor:
        """Must be `fkp`."""
        ...

    @property
    def kernel_size(self) -> int:
        """Odd side of the window."""
        ...

    def validation_set(self) -> Float[Tensor, "n 1 k k"]:
        """Kernels to validate on, the same at every call."""
        ...

    def normalization(self) -> float:
        """c: a little above the greatest weight that kernels have."""
        ...

    def facts(self) -> dict[str, Any]:
        """What the checkpoint shall remember of the kernels, `scale` among it."""
        ...


class FreshKernels(IterableDataset[Float[Tensor, "b 1 k k"]]):
    """Batches of new random kernels, the same for the same seed, rank and place in the training.

    Args:
        kernels: sampler.
        batch_size: kernels a batch.
        batches: length of an epoch.
        seed, rank: of the run and the process.
        done: batches that an interrupted training has used up; the stream goes on after them.
    """

    def __init__(
        self,
        kernels: KernelSampler,
        batch_size: int,
        batches: int,
        seed: int,
        rank: int = 0,
        done: int = 0,
    ) -> None:
        self.kernels, self.batch_size, self.batches, self.seed = kernels, batch_size, batches, seed
        self.rank, (self.epoch, self.skip) = rank, divmod(done, batches)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Float[Tensor, "b 1 k k"]]:
        generator = keyed_generator(self.seed, _key(self.epoch, self.rank), "kernels")
        skip, self.skip = self.skip, 0
        self.epoch += 1
        for index in range(self.batches):
            batch = self.kernels.sample(self.batch_size, generator)
            if index >= skip:
                yield batch


class FitKernelFlow(pl.LightningModule):
    """Maximum likelihood of dequantised kernel logits.

    Args:
        kernels: sampler to learn, and source of the validation set.
        seed: of kernels, dequantisation and the flow's start.
        epochs, kernels_per_epoch, batch_size: published 100, 50,000 and 100.
        lr, weight_decay: of Adam; published 1e-4 and 1e-6.
        schedule: `halving`, the published steps at 40, 50, ..., 90 % of the epochs; or `one_cycle` (Smith &
            Topin 2018), which with a 20 times larger step reaches a lower loss in a tenth of the epochs.
        hidden: width of the coupling nets; default min(5s+5, 25).
        levels: dequantisation adds U[0,1)/levels of c per pixel; published 720. None takes so many that this
            makes up 1 % of a kernel: 720 would add 10 % and more to one of 33x33.
        patience: stop after so many epochs without a lower validation loss; None: never, as published.

    Source: FKP section 3.2 and its released training recipe.
    """

    fits = True
    monitor = ("val_nll", "min")

    def __init__(
        self,
        kernels: LearnableKernels,
        seed: int = 0,
        epochs: int = 100,
        kernels_per_epoch: int = 50_000,
        batch_size: int = 100,
        lr: float = 1e-4,
        weight_decay: float = 1e-6,
        schedule: Literal["halving", "one_cycle"] = "halving",
        hidden: int | None = None,
        levels: float | None = PUBLISHED_LEVELS,
        patience: int | None = None,
    ) -> None:
        super().__init__()
        if kernels.anchor != "fkp":
            raise UserError(
                f"flows are trained at the 'fkp' anchor, the kernels are at '{kernels.anchor}'",
                where="method.kernels.anchor",
                fix="leave it out; the prior turns its kernels to the anchor of the degradation",
            )
        self.kernels, self.seed, self.epochs = kernels, seed, epochs
        self.batch_size, self.batches = batch_size, kernels_per_epoch // batch_size
        self.lr, self.weight_decay = lr, weight_decay
        self.schedule, self.patience = schedule, patience
        size, c = kernels.kernel_size, kernels.normalization()
        levels = levels or size**2 * c / 2 / _NOISE
        with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global stream
            torch.manual_seed(seed)
            self.flow = KernelFlow(size, hidden or published_hidden(kernels.scale), c, levels=levels)

    def setup(self, stage: str) -> None:
        """Have the validation kernels once."""
        self.validation = self.kernels.validation_set()
        self.noise: torch.Generator | None = None

    def train_dataloader(self) -> DataLoader[Tensor]:
        """Fresh kernels every epoch."""
        stream = FreshKernels(
            self.kernels,
            self.batch_size,
            self.batches,
            self.seed,
            self.global_rank,
            done=self.trainer.global_step,
        )
        return DataLoader(stream, batch_size=None)

    def val_dataloader(self) -> DataLoader[Tensor]:
        """The published grid, or the kernels held out."""
        return DataLoader(self.validation.split(4096), batch_size=None)  # pyright: ignore[reportArgumentType]

    def on_validation_epoch_start(self) -> None:
        """The same dequantisation at every validation."""
        self.validation_noise = keyed_generator(0, "validation", "dequantisation")

    def training_step(self, batch: Float[Tensor, "b 1 k k"], batch_idx: int) -> Tensor:
        """Negative log-likelihood in nats per kernel."""
        if self.noise is None or batch_idx == 0:
            self.noise = keyed_generator(
                self.seed, _key(self.current_epoch, self.global_rank), "dequantisation"
            )
            for _ in range(batch_idx):  # what an interrupted training has used up
                torch.rand(len(batch), self.flow.dimension, generator=self.noise)
        loss = -self.flow.log_prob(self.flow.preprocess(batch, self.noise)).mean()
        self.log("nll", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Float[Tensor, "b 1 k k"], batch_idx: int) -> None:
        """The same on the validation set; the best is kept by the checkpoint callback."""
        nll = -self.flow.log_prob(self.flow.preprocess(batch, self.validation_noise)).mean()
        self.log("val_nll", nll, prog_bar=True, batch_size=len(batch))

    def configure_optimizers(self) -> Any:
        """Adam and its schedule."""
        adam = torch.optim.Adam(self.parameters(), lr=self.lr, weight_decay=self.weight_decay, fused=True)
        if self.schedule == "halving":
            milestones = [round(share * self.epochs) for share in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)]
            return [adam], [torch.optim.lr_scheduler.MultiStepLR(adam, milestones, gamma=0.5)]
        cycle = torch.optim.lr_scheduler.OneCycleLR(adam, self.lr, self.epochs * self.batches, pct_start=0.1)
        return [adam], [{"scheduler": cycle, "interval": "step"}]

    def configure_callbacks(self) -> list[pl.Callback]:
        """Stop early if told to."""
        return [] if self.patience is None else [EarlyStopping(self.monitor[0], patience=self.patience)]

    def checkpoint(self) -> Checkpoint:
        """The trained flow, and what it is for."""
        return Checkpoint(self.flow.state_dict(), {"levels": self.flow.levels, **self.kernels.facts()})


def _key(epoch: int, rank: int) -> str:
    return f"epoch {epoch}" + (f", rank {rank}" if rank else "")
