"""Training on radar images: by pixel, against a discriminator, without a clean reference."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F

from sr_lab.backbones.lsrgan import LSRGAN
from sr_lab.backbones.trained import network_from
from sr_lab.data.module import SRData
from sr_lab.data.patches import Patches
from sr_lab.data.sample import Sample
from sr_lab.degradation.bandcut import Bandcut
from sr_lab.degradation.speckle import circular_gaussian
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels
from sr_lab.methods.fit_lsrgan import FitLSRGAN
from sr_lab.methods.fit_merlin import FitMerlin
from sr_lab.methods.fit_radar import FitRadar
from sr_lab.tracking.progress import quiet
from sr_lab.weights.store import Checkpoint, save_checkpoint

LOSSES = {"fisher_tippett": 1.0, "log_ratio_l1": 0.1, "radiometry": 0.5}


class Fields:
    """SLCs of fields of three reflectivities, 10 dB apart."""

    axes_differ = True

    def __init__(self, count: int = 2, side: int = 96) -> None:
        self.ids = [f"fields{index}" for index in range(count)]
        self.images = [self._fields(side, index) for index in range(count)]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]

    @staticmethod
    def _fields(side: int, seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        levels = 10.0 ** torch.randint(-1, 2, (side // 24, side // 24), generator=generator)
        truth = levels.repeat_interleave(24, 0).repeat_interleave(24, 1)
        return as_channels(
            circular_gaussian(truth[None].to(torch.complex64), generator) * truth[None].sqrt()
        )[0]


def network(scale: int = 2, reads: Any = "amplitude") -> LSRGAN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LSRGAN(scale, 12, 1, reads=reads)


def fitted(
    method: FitRadar,
    steps: int,
    detect: bool,
    resume: Path | None = None,
    epoch: int | None = None,
    **options: Any,
) -> FitRadar:
    degradation = Bandcut(method.network.scale, detect=detect)
    method.bind(degradation, 0)
    data = SRData(Fields(), degradation, patch_size=64, patches_per_batch=4, batches_per_epoch=epoch or steps)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        **options,
    )
    with warnings.catch_warnings():
        quiet()
        trainer.fit(method, data, ckpt_path=resume)
    return method


def sample(detect: bool, scale: int = 2) -> Sample:
    hr = Fields(3)[2][None]
    return Sample(Bandcut(scale, detect=detect)(hr, None), scale, ["a"], hr)


def test_patches_of_images_whose_axes_differ_are_flipped_and_not_turned():
    class One(Fields):
        def __init__(self, differ: bool) -> None:
            self.ids, self.axes_differ = ["ramp"], differ
            self.images = [torch.arange(64.0).expand(1, 32, 64).clone()]

    def constant_along_rows(differ: bool) -> set[bool]:
        patches = Patches(One(differ), 16, 8, 0, 4)
        return {bool((patch.diff(dim=-2) == 0).all()) for batch in patches for patch in batch}

    assert constant_along_rows(True) == {True}
    assert constant_along_rows(False) == {True, False}


def test_gan_comes_in_after_pixels_and_counts_one_step_a_batch():
    method = FitLSRGAN(network(), 6, LOSSES, pixel_steps=4, discriminator_width=4, warmup=1, gan_lr=1e-3)
    assert method.discriminator is not None
    start = {key: value.clone() for key, value in method.discriminator.state_dict().items()}
    pixel = FitLSRGAN(network(), 4, LOSSES, warmup=1)
    fitted(pixel, 4, True)
    fitted(method, 6, True)
    assert method.trainer.global_step == 6
    torch.testing.assert_close(method.before.state_dict(), pixel.network.state_dict())
    moved = [not torch.equal(start[key], value) for key, value in method.discriminator.state_dict().items()]
    assert any(moved)
    restored = method.restore(sample(True))
    assert restored.sr.shape == (1, 1, 96, 96)
    assert not torch.allclose(restored.sr, restored.stages["pixel"])
    torch.testing.assert_close(restored.stages["pixel"], pixel.restore(sample(True)).sr)
    assert not pixel.restore(sample(True)).stages


def test_a_network_and_its_images_have_the_same_factors():
    method = FitLSRGAN(LSRGAN(4, 12, 1, axes=[4, 2]), 2, LOSSES)
    with pytest.raises(UserError, match=r"x4 in rows and x2 in columns, these images ask for x4"):
        method.bind(Bandcut(4), 0)
    degradation = Bandcut(4, grid=[4, 2], detect=True)
    method.bind(degradation, 0)
    hr = Fields()[0][None]
    lr, inner = method.without_margin(degradation(hr, None), hr)
    assert lr.shape[-2:] == (96 // 4 - 2 * 4, 96 // 2 - 2 * 8)
    torch.testing.assert_close(inner, hr[..., 16:-16, 16:-16])


def test_an_interrupted_gan_goes_on_as_if_it_had_not_been(tmp_path: Path):
    def fresh() -> FitLSRGAN:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            return FitLSRGAN(network(), 6, LOSSES, pixel_steps=2, discriminator_width=4, warmup=1)

    whole = fitted(fresh(), 6, True, epoch=2)
    half = fresh()
    fitted(half, 4, True, epoch=2)
    half.network.gain.zero_()  # an interruption comes before it is measured
    half.before.gain.zero_()
    half.trainer.save_checkpoint(tmp_path / "last.ckpt")
    resumed = fitted(fresh(), 6, True, tmp_path / "last.ckpt", 2)
    assert resumed.trainer.global_step == 6
    # rounding, which Adam's first steps enlarge; a discriminator begun anew would be off by 0.1
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=1e-2, atol=2e-3)


def test_rates_are_two_cosines():
    method = FitLSRGAN(network(), 100, LOSSES, pixel_steps=60, lr=1.0, gan_lr=0.1, warmup=10)
    rates = [method.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1, abs=0.1)
    assert rates[59] < 0.01 < rates[60] == 0.1
    assert rates[99] < 0.001


def test_the_discriminators_gradient_and_the_generators_keep_apart():
    method = FitLSRGAN(network(), 2, LOSSES, pixel_steps=0, adversarial=0.0, discriminator_width=4)
    sr = torch.randn(2, 1, 32, 32, requires_grad=True)
    method.log_dict = lambda *args, **options: None
    method._game(sr, torch.randn(2, 1, 32, 32)).backward()
    assert sr.grad is not None
    assert not sr.grad.any(), "at weight 0 the generator hears nothing, not even of what the other loses"
    assert method.discriminator is not None
    assert all(p.grad is not None and p.grad.any() for p in method.discriminator.logit.parameters())


def test_pixels_learn_intensity_with_its_mean_kept():
    method = fitted(FitLSRGAN(network(), 60, LOSSES, warmup=5, lr=5e-3), 60, True)
    given = sample(True)
    assert given.hr is not None
    hr = F.avg_pool2d(given.hr.square().sum(1, keepdim=True), 24)  # field by field

    def bias(amplitude: torch.Tensor) -> float:
        return 10 * (F.avg_pool2d(amplitude.square(), 24) / hr).median().log10().item()

    assert abs(bias(method.restore(given).sr)) < 0.6 < abs(bias(network()(given.lr))), "decibels are too dark"


def test_merlin_takes_speckle_away():
    method = fitted(
        FitMerlin(network(reads="parts"), 200, warmup=5, lr=2e-3), 200, False, gradient_clip_val=1.0
    )
    given = sample(False)
    sr = method.restore(given).sr.square()[0, 0]
    calm = sr[28:44, 28:44]
    assert (calm.mean() ** 2 / calm.var()).item() > 3, "one look has 1"
    with pytest.raises(UserError, match="both parts"):
        method.loss(
            Bandcut(2, detect=True).degrade(Fields()[0][None], torch.Generator()),
            Bandcut(2),
            Fields()[0][None],
        )


def test_despeckled_targets(tmp_path: Path):
    teacher = fitted(FitMerlin(network(1, "parts"), 60, warmup=2, lr=2e-3), 60, False, gradient_clip_val=1.0)
    save_checkpoint(tmp_path / "teacher.pt", teacher.checkpoint())
    method = FitLSRGAN(network(), 2, LOSSES, targets="despeckled", teacher=str(tmp_path / "teacher.pt"))
    hr = Fields()[0][None]
    target = method.target(hr)
    expected = 2 * teacher.network(hr).log()
    torch.testing.assert_close(target, expected, rtol=1e-3, atol=1e-3)
    assert target.std() < method.__class__(network(), 2, LOSSES).target(hr).std()
    fitted(method, 2, True)
    assert set(method.checkpoint().state) == set(network().state_dict()), "the teacher stays behind"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FitLSRGAN(network(reads="parts"), 2, LOSSES), "reads amplitude"),
        (lambda: FitMerlin(network(), 2), "reads parts"),
        (lambda: FitLSRGAN(network(), 2, {"fisher": 1.0}), "no loss called 'fisher'; did you mean"),
        (lambda: FitLSRGAN(network(), 2, LOSSES, targets="despeckled"), "need an LSRGAN at x1"),
        (lambda: FitLSRGAN(network(), 2, LOSSES, teacher="x"), "makes despeckled targets"),
    ],
)
def test_what_does_not_fit_is_told(build: Any, message: str):
    with pytest.raises(UserError, match=message):
        build()


def test_checkpoint_rebuilds_the_network():
    method = FitMerlin(network(reads="parts"), 2)
    checkpoint = method.checkpoint()
    again = network_from(Checkpoint(checkpoint.state, checkpoint.architecture), "x")
    assert isinstance(again, LSRGAN)
    assert again.reads == "parts"
