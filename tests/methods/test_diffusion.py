"""Training on one patch, restoration that repeats itself, distillation, checkpoints."""

from pathlib import Path
from typing import TypeVar

import pytest
import torch

from sr_lab.backbones.latent_diffusion import LatentDiffusion, load_diffusion
from sr_lab.data.sample import Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.resample import imresize
from sr_lab.diffusion.guidance import Added
from sr_lab.errors import UserError
from sr_lab.methods.diffusion import Diffusion
from sr_lab.methods.fit_diffusion import DistilDiffusion, FitDiffusion
from sr_lab.weights.store import save_checkpoint


def network(scale: int = 4, channels: int = 1) -> LatentDiffusion:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LatentDiffusion(channels, scale, 16, (1, 2), 1, 16, 2, 2, 8, steps=6, kappa=0.5)


def bicubic(scale: int = 4) -> Degradation:
    return Degradation(scale, None, anchor="block_center")


Bound = TypeVar("Bound", Diffusion, FitDiffusion, DistilDiffusion)


def bound(method: Bound, monkeypatch: pytest.MonkeyPatch | None = None) -> Bound:
    network = method.backbone
    assert isinstance(network, LatentDiffusion)
    method.bind(bicubic(network.scale), seed=3)
    if monkeypatch:
        for name in ("log", "log_dict"):
            monkeypatch.setattr(method, name, lambda *args, **kwargs: None)
    return method


def stir(net: LatentDiffusion) -> LatentDiffusion:
    """As if trained: the last layer no longer clear."""
    last = net.denoiser.out[2]
    assert isinstance(last, torch.nn.Conv2d)
    torch.nn.init.normal_(last.weight, std=0.05, generator=torch.Generator().manual_seed(0))
    return net.eval()


def step(method: FitDiffusion, hr: torch.Tensor, k: int) -> torch.Tensor:
    loss = method.training_step(hr, k)
    assert isinstance(loss, torch.Tensor)
    return loss


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("guidance", [None, Added({"log_spectrum": 0.001, "thermal_order": 1.0})])
def test_training_beats_bicubic_on_its_patch(guidance: Added | None, monkeypatch: pytest.MonkeyPatch):
    net = network()
    method = bound(FitDiffusion(net, 80, guidance, 3, warmup=1), monkeypatch)
    hr = imresize(images(1, 1, 8, 8), 4)
    adam = torch.optim.Adam(net.parameters(), 3e-3)
    for k in range(80):
        monkeypatch.setattr(FitDiffusion, "global_step", k)
        adam.zero_grad()
        step(method, hr, k).backward()
        adam.step()
    lr = bicubic().degrade(hr, torch.Generator()).lr
    sample = Sample(lr, 4, ["a"])
    error = (method.restore(sample).sr - hr).square().mean()
    assert error < 0.7 * (imresize(lr, 4) - hr).square().mean()


@pytest.mark.parametrize(("scale", "channels", "shape"), [(2, 1, (7, 10)), (4, 3, (5, 9)), (8, 1, (4, 3))])
def test_untrained_is_bicubic_at_every_scale_and_size(scale: int, channels: int, shape: tuple[int, int]):
    lr = images(1, channels, *shape)
    found = bound(Diffusion(network(scale, channels).eval())).restore(Sample(lr, scale, ["a"])).sr
    assert found.shape == (1, channels, scale * shape[0], scale * shape[1])
    edge = scale * 3 if scale == 2 else 0  # odd sides are padded before bicubic
    inside = (..., slice(0, scale * shape[0] - edge), slice(0, None))
    torch.testing.assert_close(found[inside], imresize(lr, scale)[inside], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("steps", "stochastic"), [(None, False), (3, True), (1, False)])
def test_an_image_is_its_seed_and_name_in_any_batch(steps: int | None, stochastic: bool):
    method = bound(Diffusion(stir(network()), steps, stochastic))
    lr = images(2, 1, 8, 8)
    both = method.restore(Sample(lr, 4, ["a", "b"])).sr
    torch.testing.assert_close(method.restore(Sample(lr[1:], 4, ["b"])).sr, both[1:], atol=1e-5, rtol=1e-4)
    assert (method.restore(Sample(lr[1:], 4, ["c"])).sr - both[1:]).abs().max() > 1e-4


def test_tiles_cover_the_image_and_repeat_themselves():
    method = bound(Diffusion(stir(network()), 1, tile=16))
    sample = Sample(images(1, 1, 20, 37), 4, ["a"])
    first = method.restore(sample).sr
    assert first.shape == (1, 1, 80, 148)
    assert torch.equal(first, method.restore(sample).sr)


def test_one_step_learns_the_chain_of_its_teacher(monkeypatch: pytest.MonkeyPatch):
    net = stir(network())
    method = bound(DistilDiffusion(net, 60), monkeypatch)
    teacher = method.teacher
    assert isinstance(teacher, LatentDiffusion)
    taught = {key: value.clone() for key, value in teacher.state_dict().items()}
    hr = imresize(images(1, 1, 8, 8), 4)
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    errors = []
    for k in range(60):
        monkeypatch.setattr(FitDiffusion, "global_step", k)
        adam.zero_grad()
        loss = step(method, hr, k)
        loss.backward()
        adam.step()
        errors.append(loss.item())
    assert sum(errors[-5:]) < 0.5 * sum(errors[:5])
    assert all(torch.equal(value, taught[key]) for key, value in teacher.state_dict().items())


def test_a_checkpoint_rebuilds_the_network(tmp_path: Path):
    net = stir(network())
    save_checkpoint(tmp_path / "net.pt", FitDiffusion(net, 1).checkpoint())
    again = load_diffusion(str(tmp_path / "net.pt"))
    assert again.architecture == net.architecture
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in net.state_dict().items())


def test_what_does_not_fit_is_told():
    with pytest.raises(UserError, match="1 to 6"):
        Diffusion(network(), 7)
    with pytest.raises(UserError, match="2, 4, 8"):
        network(3)
    with pytest.raises(UserError, match=r"for 4.*asks for 2"):
        bound(Diffusion(network())).restore(Sample(images(1, 1, 8, 8), 2, ["a"]))
    with pytest.raises(UserError, match=r"for 1.*asks for 3"):
        bound(Diffusion(network())).restore(Sample(images(1, 3, 8, 8), 4, ["a"]))


def test_the_data_gradient_brings_the_image_nearer_to_what_the_sensor_saw():
    lr = images(1, 1, 16, 16)
    sample, operator = Sample(lr, 4, ["a"]), bicubic()

    def unexplained(consistency: float) -> float:
        sr = bound(Diffusion(stir(network()), 3, consistency=consistency)).restore(sample).sr
        return float((operator(sr, None) - lr).square().mean())

    assert unexplained(1.0) < 0.3 * unexplained(0.0)


def test_an_unknown_blur_has_no_data_gradient():
    method = Diffusion(network(), 3, consistency=1.0)
    method.bind(Degradation(4, GaussianKernels(4)), seed=0)
    with pytest.raises(UserError, match="drawn at random"):
        method.restore(Sample(images(1, 1, 8, 8), 4, ["a"]))


def test_the_twin_is_of_the_size_that_a_core_trains():
    assert sum(p.numel() for p in LatentDiffusion(1).parameters()) == 1_889_164
