"""ESSAformer against a plain transcription, what its attention is, and the checkpoints it takes."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import essaformer as reference

from sr_lab.backbones.essaformer import Attention, ESSAformer, SpectralAttention
from sr_lab.backbones.trained import load_network, network_from
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.weights.store import Checkpoint, save_checkpoint


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(channels: int = 5, width: int = 16, scale: int = 2, **options: object) -> ESSAformer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ESSAformer(channels, width, scale, **options).eval()  # pyright: ignore[reportArgumentType]


def cubes(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=seeded(seed))


PUBLISHED = {  # x4, 128 bands, width 256
    "conv_first": (256, 128, 3, 3),
    "blockup.convup.convu.0": (512, 512, 1, 1),
    "blockup.convup.convu.3": (512, 512, 3, 3),
    "blockup.convup.convu.6": (256, 512, 1, 1),
    "blockup.convup.norm": (256,),
    "blockup.convup.attn.lnqkv": (768, 256),
    "blockup.convup.attn.ln": (256, 256),
    "blockup.convdown.convd.0": (512, 512, 1, 1),
    "blockup.convdown.convd.3": (512, 512, 3, 3),
    "blockup.convdown.convd.6": (256, 512, 1, 1),
    "blockup.convdown.norm": (256,),
    "blockup.convdown.attn.lnqkv": (768, 256),
    "blockup.convdown.attn.ln": (256, 256),
    "blockup.convupsample.0": (1024, 256, 3, 3),
    "blockup.convupsample.2": (1024, 256, 3, 3),
    "blockup.convdownsample.0": (64, 256, 3, 3),
    "blockup.convdownsample.2": (64, 256, 3, 3),
    "conv_last": (128, 256, 3, 3),
}


def test_the_parameters_are_the_published_ones():
    with torch.device("meta"):
        state = ESSAformer(128, 256, 4).state_dict()
    shapes = {f"{layer}.weight": shape for layer, shape in PUBLISHED.items()}
    shapes |= {f"{layer}.bias": shape[:1] for layer, shape in PUBLISHED.items()}
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == shapes


@pytest.mark.parametrize(
    ("bands", "scale", "count"),
    [
        (31, 2, 8_685_919),
        (128, 2, 9_132_992),
        (31, 4, 11_193_759),
        (128, 4, 11_640_832),
        (31, 8, 13_701_599),
        (128, 8, 14_148_672),
    ],
)
def test_there_are_as_many_as_published(bands: int, scale: int, count: int):
    with torch.device("meta"):
        assert sum(p.numel() for p in ESSAformer(bands, 256, scale).parameters()) == count


@pytest.mark.parametrize("form", ["published", "signed", "none"])
@pytest.mark.parametrize(("scale", "width"), [(1, 7), (2, 8), (3, 9), (3, 36), (4, 16), (8, 16)])
def test_the_net_is_the_references(scale: int, width: int, form: Attention):
    net, lr = small(3, width, scale, attention=form), cubes(2, 3, 5, 7)
    expected = reference.restore(net.state_dict(), lr, scale, form)
    torch.testing.assert_close(net(lr), expected, atol=1e-5, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(net(lr), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(17, 20), (40, 33)])
def test_without_gradients_wide_layers_take_another_way_to_the_same(height: int, width: int):
    net, lr = small(3, 64, 2), cubes(2, 3, height, width)
    with torch.no_grad():
        found = net(lr)
    torch.testing.assert_close(found, reference.restore(net.state_dict(), lr, 2), atol=1e-5, rtol=0)
    double = net.double()
    expected = reference.restore(double.state_dict(), lr.double(), 2)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


def test_gradients_are_the_references():
    net, lr = small(3, 8, 2).double(), cubes(1, 3, 5, 4).double()
    state = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    weights = cubes(1, 3, 10, 8, seed=1).double()
    (net(lr) * weights).sum().backward()
    (reference.restore(state, lr, 2) * weights).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        torch.testing.assert_close(parameter.grad, state[name].grad, msg=name)


@pytest.mark.parametrize("form", ["published", "signed", "none"])
@settings(max_examples=15, deadline=None)
@given(tokens=st.integers(1, 40), width=st.integers(2, 12), seed=st.integers(0, 10**6))
def test_permuted_tokens_give_permuted_results(form: Attention, tokens: int, width: int, seed: int):
    attention = SpectralAttention(width, form).double()
    x = torch.randn(2, tokens, width, generator=seeded(seed), dtype=torch.float64)
    order = torch.randperm(tokens, generator=seeded(seed))
    torch.testing.assert_close(attention(x[:, order]), attention(x)[:, order])


@settings(max_examples=15, deadline=None)
@given(tokens=st.integers(1, 40), width=st.integers(2, 12), seed=st.integers(0, 10**6))
def test_only_the_signed_form_sees_the_sign_of_a_query(tokens: int, width: int, seed: int):
    x = torch.randn(1, tokens, width, generator=seeded(seed), dtype=torch.float64)
    added = {}
    for form in ("published", "signed"):
        attention = SpectralAttention(width, form).double()
        with torch.no_grad():
            for layer in (attention.lnqkv, attention.ln):
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=seeded(1)))
                layer.bias.zero_()
            attention.ln.weight.copy_(torch.eye(width))
            positive = attention(x)
            value = x @ attention.lnqkv.weight[2 * width :].T
            attention.lnqkv.weight[:width] *= -1
            added[form] = positive - value, attention(x) - value
    torch.testing.assert_close(*added["published"])
    torch.testing.assert_close(added["signed"][0], -added["signed"][1])


def test_a_constant_query_adds_nothing():
    attention = SpectralAttention(6).double()
    with torch.no_grad():
        attention.lnqkv.weight[:12] = 0
        attention.lnqkv.bias[:12] = 1
    x = torch.randn(1, 9, 6, generator=seeded(), dtype=torch.float64)
    found = attention(x)
    value = torch.nn.functional.linear(x, attention.lnqkv.weight[12:], attention.lnqkv.bias[12:])
    torch.testing.assert_close(found, attention.ln(value))


PEAK = """
import resource, sys, torch
from sr_lab.backbones.essaformer import SpectralAttention
torch.set_num_threads(1)
attention, n = SpectralAttention(16), int(sys.argv[1])
with torch.no_grad():
    attention(torch.rand(1, 64, 16))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    attention(torch.rand(1, n, 16))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in other units elsewhere")
def test_memory_is_linear_in_pixels():
    n = 2**16
    ended = subprocess.run([sys.executable, "-c", PEAK, str(n)], capture_output=True, text=True, check=True)
    maps = int(ended.stdout) * 1024 / (n * 16 * 4)
    assert maps < 16  # of the size of the input; the matrix between all pixels would be 4,096 of them


def test_the_residual_form_starts_at_bicubic_and_adds_to_it():
    lr = cubes(1, 4, 6, 5)
    torch.testing.assert_close(small(4, residual="bicubic")(lr), imresize(lr, 2))
    plain, residual = small(4), small(4, residual="bicubic")
    residual.load_state_dict(plain.state_dict())
    torch.testing.assert_close(residual(lr), plain(lr) + imresize(lr, 2))


def test_dropout_counts_in_training_only():
    net, lr = small(dropout=0.2), cubes(2, 5, 6, 6)
    torch.testing.assert_close(net(lr), reference.restore(net.state_dict(), lr, 2), atol=1e-5, rtol=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert (net.train()(lr) - net(lr)).abs().max() > 1e-3
    net(lr).square().sum().backward()


def test_images_of_a_batch_do_not_meet():
    net, lr = small(), cubes(3, 5, 6, 7)
    alone = torch.cat([net(one[None]) for one in lr])
    torch.testing.assert_close(net(lr), alone, atol=1e-6, rtol=1e-5)


def test_bfloat16_is_near_and_trains():
    lr = cubes(1, 5, 8, 8)
    half, net = small(precision="bfloat16"), small()
    found = half(lr)
    assert found.dtype == torch.float32
    assert 0 < (found - net(lr)).abs().max() < 0.02
    found.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in half.parameters())
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        torch.testing.assert_close(net(lr).float(), found, atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("width", "scale", "said"),
    [(6, 2, "nearest 8"), (256, 3, "nearest 252"), (2, 4, "nearest 4"), (1, 3, "nearest 9"), (8, 5, "x5")],
)
def test_what_does_not_fit_is_told(width: int, scale: int, said: str):
    with pytest.raises(UserError, match=said):
        ESSAformer(3, width, scale)


@pytest.mark.parametrize(("scale", "width"), [(1, 5), (2, 8), (3, 9), (4, 16), (8, 8)])
def test_a_bare_state_dict_tells_the_architecture(scale: int, width: int):
    net = small(7, width, scale)
    again = network_from(Checkpoint(net.state_dict()), "here")
    assert again.architecture == net.architecture
    assert torch.equal(again(cubes(1, 7, 4, 4)), net(cubes(1, 7, 4, 4)))


def test_a_checkpoint_rebuilds_the_net(tmp_path: Path):
    net = small(4, 8, 4, attention="signed", residual="bicubic", dropout=0.1)
    save_checkpoint(tmp_path / "net.pt", Checkpoint(net.state_dict(), net.architecture))
    again = load_network(str(tmp_path / "net.pt"))
    assert again.architecture == net.architecture
    assert not again.training


def test_other_weights_are_refused():
    state = small().state_dict()
    with pytest.raises(UserError, match=r"here.*conv_first\.weight"):
        network_from(Checkpoint({"weight": torch.zeros(1)}), "here")
    with pytest.raises(UserError, match=r"conv_last\.bias"):
        network_from(Checkpoint({k: v for k, v in state.items() if k != "conv_last.bias"}), "here")
    with pytest.raises(UserError, match="no image-to-image network"):
        network_from(Checkpoint(state, {"kind": "essaformer", "depth": 3}), "here")
