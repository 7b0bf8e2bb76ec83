import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from reference.kernel_pool import write_pool

from sr_lab.degradation.chain import keyed_generator
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.kernel_files import width
from sr_lab.degradation.kernel_pool import KernelPool
from sr_lab.degradation.motion import CameraShake
from sr_lab.errors import UserError
from sr_lab.io.kernels import write_kernel
from sr_lab.methods.fit_flow import FitKernelFlow, FreshKernels
from sr_lab.priors.flow import KernelFlow, flow_from
from sr_lab.tracking.progress import quiet

KERNELS = GaussianKernels(2, size=5, variance=(0.35, 1.2))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Nets this small spend their time waiting for a second thread, above all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def method(epochs: int = 3, **options: object) -> FitKernelFlow:
    defaults = {"kernels_per_epoch": 200, "batch_size": 20, "lr": 2e-3, "hidden": 8}
    return FitKernelFlow(KERNELS, seed=3, epochs=epochs, **{**defaults, **options})


class Watch(pl.Callback):
    """The validation losses; a power cut before the step after `cut`."""

    def __init__(self, cut: int | None = None) -> None:
        self.losses: list[float] = []
        self.cut = cut

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.losses.append(float(trainer.callback_metrics["val_nll"]))

    def on_train_batch_start(self, trainer: pl.Trainer, *args: object, **kwargs: object) -> None:
        if trainer.global_step == self.cut:
            raise RuntimeError("power cut")


def fit(
    module: FitKernelFlow, folder: Path, watch: Watch, resume: bool = False, saved_on_exception: bool = True
) -> pl.Trainer:
    quiet()
    warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")  # ours go on where they stopped
    keep = ModelCheckpoint(folder, "last", save_on_exception=saved_on_exception, enable_version_counter=False)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=3,
        logger=False,
        callbacks=[watch, keep],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    trainer.fit(module, ckpt_path=folder / "last.ckpt" if resume else None)
    return trainer


def assert_same(one: FitKernelFlow, other: FitKernelFlow) -> None:
    for name, value in one.flow.state_dict().items():
        torch.testing.assert_close(other.flow.state_dict()[name], value, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("schedule", ["halving", "one_cycle"])
def test_training_lowers_the_loss_and_goes_on_where_it_stopped(tmp_path: Path, schedule: str):
    whole, seen = method(schedule=schedule), Watch()
    fit(whole, tmp_path / "whole", seen)
    first, second, third = seen.losses
    assert third < second < first - 1
    # goes on from the step it stopped at, or from the last epoch it completed
    for saved in (True, False):
        folder, before, watch = tmp_path / str(saved), method(schedule=schedule), Watch(cut=14)
        with pytest.raises(RuntimeError, match="power cut"):
            fit(before, folder, watch, saved_on_exception=saved)
        assert watch.losses == pytest.approx(seen.losses[:1], rel=1e-5)
        with pytest.raises(AssertionError):
            assert_same(whole, before)
        after, watch = method(schedule=schedule), Watch()
        assert fit(after, folder, watch, resume=True).global_step == 30
        assert watch.losses == pytest.approx(seen.losses[1:], rel=1e-5)
        assert_same(whole, after)


def test_the_validation_loss_is_the_mean_over_the_grid(tmp_path: Path):
    module, watch = method(), Watch()
    fit(module, tmp_path, watch)
    flow, grid = module.flow.eval(), KERNELS.validation_set()
    noise = keyed_generator(0, "validation", "dequantisation")
    with torch.no_grad():
        expected = -flow.log_prob(flow.preprocess(grid, noise)).mean().item()
    assert watch.losses[-1] == pytest.approx(expected, rel=1e-4)


def test_the_trained_flow_comes_back_from_its_checkpoint():
    module = method()
    again = KernelFlow.from_state_dict(module.checkpoint().state)
    code = torch.randn(3, 25, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.decode(code), module.flow.eval().decode(code))
    assert again.normalization.item() == pytest.approx(KERNELS.normalization())


def test_the_seed_decides_on_the_start_and_nothing_else():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one, same = method(), method()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert_same(one, same)
    other = FitKernelFlow(KERNELS, seed=4, hidden=8)
    with pytest.raises(AssertionError):
        assert_same(one, other)


def test_the_defaults_are_the_published_recipe():
    module = FitKernelFlow(GaussianKernels(4))
    assert (module.epochs, module.batches, module.batch_size) == (100, 500, 100)
    assert sum(parameter.numel() for parameter in module.flow.parameters()) == 194_470
    ([adam], [schedule]) = module.configure_optimizers()
    assert (adam.defaults["lr"], adam.defaults["weight_decay"]) == (1e-4, 1e-6)
    rates = []
    for _ in range(100):
        rates.append(adam.param_groups[0]["lr"])
        adam.step()
        schedule.step()
    halvings = [epoch for epoch in range(1, 100) if rates[epoch] < rates[epoch - 1]]
    assert halvings == [40, 50, 60, 70, 80, 90]
    assert rates[-1] == pytest.approx(1e-4 / 64)


def test_fresh_kernels_differ_by_epoch_rank_and_seed_and_can_be_resumed():
    def draw(stream: FreshKernels) -> list[bytes]:
        return [batch.numpy().tobytes() for batch in stream]

    stream = FreshKernels(KERNELS, 4, 5, seed=0)
    first, second, third = draw(stream), draw(stream), draw(stream)
    others = draw(FreshKernels(KERNELS, 4, 5, seed=1)) + draw(FreshKernels(KERNELS, 4, 5, seed=0, rank=1))
    assert len({*first, *second, *third, *others}) == 25
    later = FreshKernels(KERNELS, 4, 5, seed=0, done=7)
    assert draw(later) == second[2:]
    assert draw(later) == third
    assert len(stream) == 5


@pytest.mark.parametrize(("scale", "published"), [(2, 0.2335), (3, 0.31311), (4, 0.16908)])
def test_the_published_normalisation(scale: int, published: float):
    assert GaussianKernels(scale).normalization() == pytest.approx(published, abs=5e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("low", [0.05, 0.1, 0.3])
def test_no_kernel_of_a_sharper_range_is_cut_off(scale: int, low: float):
    sampler = GaussianKernels(scale, variance=(low, 3.0))
    flow = KernelFlow(sampler.kernel_size, 4, sampler.normalization())
    kernels = sampler.sample(5000, torch.Generator().manual_seed(0))
    top = flow.preprocess(kernels, torch.Generator().manual_seed(0)).max()
    assert top < torch.logit(torch.tensor(1 - 1e-6)) - 1
    assert kernels.max() > 0.8 * flow.normalization


def test_kernels_at_another_anchor_are_refused():
    with pytest.raises(UserError, match="anchor"):
        FitKernelFlow(GaussianKernels(2, anchor="block_center"))


def test_a_pool_of_large_kernels_is_dequantised_by_a_hundredth_of_their_mass(tmp_path: Path):
    pool = KernelPool(write_pool(tmp_path, 8, (33, 12)), scale=4)
    module = FitKernelFlow(pool, hidden=4, levels=None)
    assert module.flow.side == 33
    noisy = module.flow.preprocess(pool.plain, keyed_generator(0, "a", "b"))
    added = (torch.sigmoid(noisy) * module.flow.normalization).sum(1) - 1
    assert added.mean().item() == pytest.approx(0.01, abs=0.002)
    again = flow_from(module.checkpoint())
    assert again.levels == module.flow.levels > 720
    assert module.checkpoint().architecture["learned_from"] == pool.learned_from


class Plateau(FitKernelFlow):
    """Its validation loss never falls."""

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val_nll", torch.tensor(1.0), batch_size=len(batch))


@pytest.mark.parametrize(("patience", "epochs"), [(None, 3), (1, 2)])
def test_training_stops_where_the_validation_loss_no_longer_falls(
    tmp_path: Path, patience: int | None, epochs: int
):
    watch = Watch()
    module = Plateau(KERNELS, epochs=3, kernels_per_epoch=40, batch_size=20, hidden=4, patience=patience)
    fit(module, tmp_path, watch)
    assert len(watch.losses) == epochs


@pytest.mark.slow
def test_a_hundred_odd_kernels_are_learned(tmp_path: Path):
    generator = keyed_generator(0, "test", "pool")
    for index in range(100):
        side = 15 + 2 * int(torch.randint(10, (1,), generator=generator))
        if index % 2:
            kernel = CameraShake(scale=1, size=side).sample(1, generator)
        else:
            widest = (side / 6) ** 2
            kernel = GaussianKernels(1, side, (0.8, widest), recentre=False).sample(1, generator)
        write_kernel(tmp_path / "pool" / f"{index:02d}.npy", kernel[0, 0].double().numpy())
    pool = KernelPool(tmp_path / "pool", scale=4)
    module = FitKernelFlow(
        pool, epochs=3, kernels_per_epoch=15_000, batch_size=50, lr=5e-3, schedule="one_cycle", levels=None
    )
    watch = Watch()
    fit(module, tmp_path, watch)
    first, second, third = watch.losses
    assert third < second < first
    stored = [width(kernel.numpy()) for kernel in pool.plain[:, 0].double()]
    drawn = module.flow.eval().sample(200, generator)
    widths = sorted(width(kernel.numpy()) for kernel in drawn[:, 0].double())
    assert min(stored) * 0.7 < widths[10]
    assert widths[189] < max(stored) * 1.3
    assert widths[189] > 1.3 * widths[10]
