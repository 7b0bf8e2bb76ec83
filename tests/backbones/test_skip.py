"""The skip generator against the plain transcription, and the independence of the images of a batch."""

import pytest
import torch
from reference.dip_fkp import Skip as PlainSkip
from torch import Tensor, nn

from sr_lab.backbones import skip
from sr_lab.backbones.skip import SkipNet, noise_input
from sr_lab.errors import UserError


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(images: int = 1, seed: int = 0) -> SkipNet:
    generators = [seeded(seed + image) for image in range(images)]
    return SkipNet(images, 3, 3, width=8, skip=4, levels=3, non_local_from=2, generator=generators)


def plain_copy(net: SkipNet, **shape: int) -> PlainSkip:
    """The transcription with the same weights: the parameters come in the same order."""
    plain = PlainSkip(**shape)
    for target, source in zip(plain.parameters(), net.parameters(), strict=True):
        target.data.copy_(source.data.permute(0, 3, 1, 2) if source.dim() == 4 else source.data)
    return plain


def unlock_non_local(net: nn.Module) -> None:
    """The blocks start as the identity: give their batch norms a scale, so that a test sees them."""
    for module in net.modules():
        if isinstance(module, skip.NonLocal):
            nn.init.ones_(module.norm.weight)


def test_has_the_published_number_of_parameters_per_image() -> None:
    for images in (1, 2):
        net = SkipNet(images, generator=seeded(0))
        assert sum(p.numel() for p in net.parameters()) == 2_359_939 * images


@pytest.mark.parametrize("size", [(64, 64), (128, 96), (65, 70), (93, 64)])
def test_equals_the_plain_transcription(size: tuple[int, int]) -> None:
    net = SkipNet(generator=seeded(0)).double()
    unlock_non_local(net)
    plain = plain_copy(net).double()
    z = noise_input([seeded(1)], 3, *size).double()
    with torch.no_grad():
        torch.testing.assert_close(net(z), plain(z), rtol=0, atol=1e-10)


def test_float32_is_near_the_plain_transcription_in_double() -> None:
    net = SkipNet(generator=seeded(0))
    plain = plain_copy(net).double()
    z = noise_input([seeded(1)], 3, 128, 96)
    with torch.no_grad():
        torch.testing.assert_close(net(z).double(), plain(z.double()), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(128, 128), (72, 65)])
def test_gradients_equal_those_of_the_plain_transcription(size: tuple[int, int]) -> None:
    net = SkipNet(generator=seeded(0)).double()
    unlock_non_local(net)
    plain = plain_copy(net).double()
    z = noise_input([seeded(1)], 3, *size).double()
    upstream = torch.randn(1, 3, *size, generator=seeded(2), dtype=torch.float64)
    net(z).backward(upstream)
    plain(z).backward(upstream)
    for (name, p), q in zip(plain.named_parameters(), net.parameters(), strict=True):
        assert p.grad is not None
        if q.grad is None:  # a bias that a batch norm cancels
            assert name.endswith("bias")
            assert p.grad.abs().max() < 1e-7, name
        else:
            grad = q.grad.permute(0, 3, 1, 2) if q.dim() == 4 else q.grad
            torch.testing.assert_close(grad, p.grad, rtol=1e-5, atol=1e-8, msg=name)


def test_float32_gradients_are_as_near_the_truth_as_those_of_the_plain_form() -> None:
    net = SkipNet(generator=seeded(0))
    plain = plain_copy(net)
    exact = plain_copy(net).double()
    z = noise_input([seeded(1)], 3, 128, 128)
    upstream = torch.randn(1, 3, 128, 128, generator=seeded(2))
    for module in (net, plain, exact):
        dtype = next(module.parameters()).dtype
        module(z.to(dtype)).backward(upstream.to(dtype))

    def error(a: Tensor, b: Tensor) -> float:
        return ((a - b).norm() / b.norm()).item()

    ours, theirs = [], []
    for q, p, e in zip(net.parameters(), plain.parameters(), exact.parameters(), strict=True):
        assert p.grad is not None
        assert e.grad is not None
        if q.grad is not None and e.grad.norm() > 1e-3:
            ours.append(error(q.grad.permute(0, 3, 1, 2) if q.dim() == 4 else q.grad, e.grad))
            theirs.append(error(p.grad, e.grad))
    assert len(ours) > 50
    assert torch.tensor(ours).median() < 5 * torch.tensor(theirs).median()


def test_an_image_of_a_batch_equals_the_same_image_alone() -> None:
    z = noise_input([seeded(10), seeded(11)], 3, 64, 80)
    together = small(images=2)
    images = together(z)
    images[1].square().sum().backward()
    for image in range(2):
        alone = small(seed=image)
        torch.testing.assert_close(alone(z[image : image + 1])[0], images[image], rtol=0, atol=0)
    first, second = together.generators
    assert all(p.grad is None or not p.grad.any() for p in first.parameters())
    assert any(p.grad is not None and p.grad.any() for p in second.parameters())


def test_grouped_convolutions_of_other_devices_equal_the_loop_of_the_cpu() -> None:
    z = noise_input([seeded(10), seeded(11)], 3, 64, 72).double()
    net = small(images=2).double()
    unlock_non_local(net)
    generators = [g for g in net.generators if isinstance(g, skip.Generator)]
    grouped = skip._generate(generators, z.reshape(1, 6, 64, 72)).reshape(2, 3, 64, 72)
    torch.testing.assert_close(grouped, net(z))


def test_autocast_takes_the_plain_forms() -> None:
    net, z = SkipNet(generator=seeded(0)), noise_input([seeded(1)], 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        y = net(z)
    y.float().sum().backward()
    with torch.no_grad():
        assert (y.float() - net(z)).abs().mean() < 0.03


def test_initial_weights_are_those_of_torch() -> None:
    net = SkipNet(generator=seeded(0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = nn.Conv2d(3, 16, 1)
    first = net.generators[0]
    assert isinstance(first, skip.Generator)
    torch.testing.assert_close(first.body.skip.conv.weight.permute(0, 3, 1, 2), layer.weight)
    torch.testing.assert_close(first.body.skip.conv.bias, layer.bias)


def test_noise_is_reproducible_and_in_range() -> None:
    z = noise_input([seeded(1), seeded(2)], 3, 64, 64)
    assert z.shape == (2, 3, 64, 64)
    assert z.min() >= 0
    assert z.max() < 0.1
    torch.testing.assert_close(z[1:], noise_input([seeded(2)], 3, 64, 64), rtol=0, atol=0)


def test_small_images_and_wrong_counts_are_refused() -> None:
    net = SkipNet(generator=seeded(0))
    with pytest.raises(UserError, match="60 x 64 px is too small"):
        net(torch.zeros(1, 3, 60, 64))
    with pytest.raises(UserError, match="2 noise inputs for 1 networks"):
        net(torch.zeros(2, 3, 64, 64))
    with pytest.raises(UserError, match="1 generators for 2 images"):
        SkipNet(2, generator=[seeded(0)])
