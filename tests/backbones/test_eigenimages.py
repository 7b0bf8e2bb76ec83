"""Networks on eigenimages: what they leave to bicubic, their basis, and any number of bands."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from sr_lab.backbones.eigenimages import Eigenimages, basis_of
from sr_lab.backbones.image_to_image import ImageToImage
from sr_lab.backbones.residual import ResidualNet
from sr_lab.backbones.trained import load_network, network_from
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.metrics.spectral import psnr_cube
from sr_lab.weights.store import Checkpoint


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cubes(batch: int, bands: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Positive mixtures of three smooth spectra, and a little of everything."""
    generator = seeded(seed)
    abundances = torch.rand(batch, 3, height, width, generator=generator)
    spectra = torch.rand(batch, bands, 3, generator=generator).cumsum(1) / bands
    noise = 0.01 * torch.rand(batch, bands, height, width, generator=generator)
    return torch.einsum("bck,bkhw->bchw", spectra, abundances) + noise


class Bicubic(ImageToImage):
    """No network at all."""

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        self.channels, self.scale, self.architecture = channels, scale, {"kind": "bicubic"}

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        return imresize(lr, self.scale)


def residual(rank: int, scale: int = 2) -> ResidualNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = ResidualNet(rank, 8, 1, scale)
        torch.nn.init.normal_(net.tail.weight, std=0.1)
        return net


@settings(max_examples=25, deadline=None)
@given(
    bands=st.integers(1, 12),
    rank=st.integers(1, 8),
    scale=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    shared=st.booleans(),
)
def test_where_the_network_is_bicubic_so_is_the_cube(
    bands: int, rank: int, scale: int, seed: int, shared: bool
):
    lr = cubes(2, bands, 6, 5, seed)
    found = Eigenimages(Bicubic(rank, scale)).for_images(lr, shared)(lr)
    torch.testing.assert_close(found, imresize(lr, scale), atol=1e-5, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(bands=st.integers(1, 12), rank=st.integers(1, 8), seed=st.integers(0, 10**6))
def test_the_basis_is_the_svds(bands: int, rank: int, seed: int):
    lr = cubes(2, bands, 6, 5, seed).double()
    basis = basis_of(lr, rank)
    images = basis.eigenimages(lr)
    kept = min(rank, bands)
    for i in range(2):
        pixels = lr[i].flatten(1).T
        _, values, rows = torch.linalg.svd(pixels - pixels.mean(0), full_matrices=False)
        torch.testing.assert_close(basis.spread[i, 0, 0], values[0] / len(pixels) ** 0.5)
        torch.testing.assert_close(
            (basis.spectra[i, :, :kept] * rows[:kept].T).sum(0).abs(), torch.ones(kept, dtype=torch.float64)
        )
        best = (pixels - pixels.mean(0)) @ rows[:kept].T @ rows[:kept]
        torch.testing.assert_close(basis.cube(images)[i].flatten(1).T, best)
    assert (basis.spectra.sum(1) >= 0).all()
    spread = images.flatten(2).std(2, correction=0)
    torch.testing.assert_close(spread[:, 0], torch.ones(2, dtype=torch.float64))
    assert (spread.diff(dim=1) <= 1e-9).all()
    assert images[:, kept:].abs().sum() == 0


def test_signs_and_scale_do_not_depend_on_gain_or_offset():
    lr = cubes(1, 9, 12, 10).double()
    images = basis_of(lr, 3).eigenimages(lr)
    changed = 7 * lr + 3
    torch.testing.assert_close(basis_of(changed, 3).eigenimages(changed), images)


def test_one_basis_for_a_batch_is_that_of_its_pixels_together():
    lr = cubes(4, 7, 6, 6)
    together = lr.permute(1, 0, 2, 3).reshape(1, 7, 24, 6)
    for found, expected in zip(basis_of(lr, 3, shared=True), basis_of(together, 3), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("flat", ["everywhere", "in space"])
def test_cubes_without_structure_go_through(flat: str):
    lr = torch.full((1, 6, 5, 5), 0.3)
    if flat == "in space":
        lr = lr * torch.arange(1.0, 7.0)[:, None, None]
    found = Eigenimages(residual(4))(lr)
    torch.testing.assert_close(found, imresize(lr, 2), atol=1e-5, rtol=1e-5)


def test_one_network_serves_any_number_of_bands():
    net = Eigenimages(residual(4))
    for bands in (1, 3, 4, 31):
        lr = cubes(2, bands, 6, 7)
        sr = net(lr)
        assert sr.shape == (2, bands, 12, 14)
        alone = torch.cat([net(one[None]) for one in lr])
        torch.testing.assert_close(sr, alone, atol=1e-5, rtol=1e-4)
        assert (sr - imresize(lr, 2)).abs().max() > 1e-4


def test_tiles_share_the_basis_of_their_cube():
    net, lr = Eigenimages(residual(3)), cubes(1, 8, 32, 12)
    upscale = net.for_images(lr)
    tile = upscale(lr[..., 8:32, :])
    torch.testing.assert_close(tile[..., 32:, :], net(lr)[..., 48:, :], atol=1e-5, rtol=1e-4)


def test_gradients_are_those_of_differences():
    net, lr = Eigenimages(residual(3)).double(), cubes(1, 5, 5, 4).double()
    weight = net.network.get_parameter("tail.weight")

    def of(values: torch.Tensor) -> torch.Tensor:
        named = {name: p.detach() for name, p in net.named_parameters()}
        return torch.func.functional_call(net, named | {"network.tail.weight": values}, lr).square().sum()

    assert torch.autograd.gradcheck(of, weight.detach().clone().requires_grad_())
    net(lr).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


def test_half_precision_is_for_the_network_alone():
    net, lr = Eigenimages(Bicubic(3, 2)), cubes(1, 8, 10, 10)
    with torch.autocast("cpu", torch.bfloat16):
        found = net(lr)
    torch.testing.assert_close(found, imresize(lr, 2), atol=1e-2, rtol=0)
    assert found.dtype == torch.float32


def test_a_checkpoint_rebuilds_the_net():
    net = Eigenimages(residual(4))
    again = network_from(Checkpoint(net.state_dict(), net.architecture), "here")
    assert again.architecture == net.architecture
    assert torch.equal(again(cubes(1, 6, 5, 5)), net(cubes(1, 6, 5, 5)))
    with pytest.raises(UserError, match="any number of bands"):
        Eigenimages(net)


def test_apart_every_eigenimage_is_enlarged_as_the_first():
    joint, lr = Eigenimages(residual(3)), cubes(1, 7, 12, 10)
    apart = Eigenimages(joint.network, apart=True)
    basis = basis_of(lr, 3)
    images = basis.eigenimages(lr)
    assert images.std((2, 3), correction=0)[0].tolist() == pytest.approx(
        basis.shares.flatten().tolist(), rel=1e-4
    )
    expected = []
    for component in images.split(1, 1):
        spread = component.std(correction=0)
        alone = torch.cat([component / spread, torch.zeros(1, 2, 12, 10)], 1)
        expected.append(joint.network(alone)[:, :1] * spread)
    added = torch.cat(expected, 1) - imresize(images, 2)
    apart.eval()
    torch.testing.assert_close(apart(lr), imresize(lr, 2) + basis.cube(added), atol=1e-5, rtol=1e-4)
    apart.train()
    torch.testing.assert_close(apart(lr), joint(lr), atol=1e-6, rtol=1e-5)


def test_apart_tiles_take_the_spreads_of_their_cube():
    net, lr = Eigenimages(residual(3), apart=True).eval(), cubes(1, 8, 32, 12)
    tile = net.for_images(lr)(lr[..., 8:32, :])
    torch.testing.assert_close(tile[..., 32:, :], net(lr)[..., 48:, :], atol=1e-5, rtol=1e-4)
    for bands in (1, 2):  # fewer than eigenimages
        assert net(cubes(1, bands, 8, 8)).isfinite().all()
    again = network_from(Checkpoint(net.state_dict(), net.architecture), "here")
    assert torch.equal(again(lr), net(lr))


@pytest.mark.parametrize("scale", [2, 4])
def test_the_shipped_network_beats_bicubic_on_bands_it_never_saw(scale: int):
    """Mixtures of a photograph's colours that is in no training set, as a cube of twelve bands."""
    colours = torch.from_numpy(data.astronaut()[:160, 120:280]).permute(2, 0, 1) / 255
    shares = torch.rand(12, 3, generator=torch.Generator().manual_seed(4))
    hr = torch.einsum("bc,chw->bhw", shares / shares.sum(1, keepdim=True), colours)[None]
    lr = imresize(hr, 1 / scale)
    network = load_network(f"hyperspectral_x{scale}")
    with torch.no_grad():
        gain = psnr_cube(network(lr), hr) - psnr_cube(imresize(lr, scale), hr)
    assert float(gain) > 1.0
