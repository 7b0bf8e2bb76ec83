import math
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import flow as reference

from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.errors import UserError
from sr_lab.priors.flow import FlowBatchNorm, KernelFlow, flow_from, published_hidden, scale_of
from sr_lab.weights.store import Checkpoint, load_weights


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_flow(side: int = 3, blocks: int = 5, hidden: int = 6) -> KernelFlow:
    """A flow with nothing at its initial value, in evaluation mode."""
    flow = KernelFlow(side, hidden, 0.5, blocks)
    generator = seeded(1)
    state = flow.state_dict()
    for name, value in state.items():
        if name.startswith("net.") and not name.endswith(".mask"):
            state[name] = 0.4 * torch.randn(value.shape, generator=generator)
        if name.endswith("running_var"):
            state[name] = 0.5 + torch.rand(value.shape, generator=generator)
    flow.load_state_dict(state)
    return flow.eval()


def arrays(flow: KernelFlow) -> dict[str, np.ndarray]:
    return {key: value.double().numpy() for key, value in flow.state_dict().items()}


@pytest.mark.parametrize(("scale", "side", "count"), [(2, 11, 41_270), (3, 15, 98_900), (4, 19, 194_470)])
def test_published_sizes(scale: int, side: int, count: int):
    flow = KernelFlow(side, published_hidden(scale), 0.2)
    assert sum(parameter.numel() for parameter in flow.parameters()) == count
    elements = {2: 43_330, 3: 102_728, 4: 200_610}[scale]
    assert sum(value.numel() for value in flow.state_dict().values()) == elements
    assert len(flow.state_dict()) == 90


def test_the_start_is_the_published_one():
    flow = KernelFlow(5, 8, 0.2)
    masks = [flow.state_dict()[f"net.{2 * block}.mask"].view(5, 5) for block in range(5)]
    rows, columns = np.indices((5, 5))
    for block, mask in enumerate(masks):
        np.testing.assert_array_equal(mask.numpy(), (rows + columns + block) % 2)  # a true checkerboard
    for name, value in flow.state_dict().items():
        if ".s_net." in name:
            assert torch.equal(value, flow.state_dict()[name.replace(".s_net.", ".t_net.")])


def test_forward_and_inverse_are_the_references():
    flow = random_flow().double()
    logits = torch.randn(4, 9, generator=seeded(), dtype=torch.float64)
    state = arrays(flow)
    for index in range(4):
        code, _ = reference.forward(state, logits[index].numpy())
        np.testing.assert_allclose(flow.encode(logits)[index].detach().numpy(), code, atol=1e-10)
        expected = reference.log_prob(state, logits[index].numpy())
        assert flow.log_prob(logits)[index].item() == pytest.approx(expected, abs=1e-9)
        value = 1 / (1 + np.exp(-reference.inverse(state, logits[index].numpy())))
        kernel = ((value - 1e-6) / (1 - 2e-6) * 0.5).reshape(3, 3)
        np.testing.assert_allclose(flow.decode(logits)[index, 0].detach().numpy(), kernel, atol=1e-7)


def test_the_log_determinant_is_that_of_the_jacobian():
    flow = random_flow().double()
    logits = torch.randn(9, generator=seeded(), dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: flow.encode(x[None])[0], logits)
    assert isinstance(jacobian, torch.Tensor)
    code = flow.encode(logits[None])[0]
    base = -0.5 * (code @ code) - 4.5 * math.log(2 * math.pi)
    expected = base + torch.linalg.slogdet(jacobian).logabsdet
    assert flow.log_prob(logits[None]).item() == pytest.approx(expected.item(), abs=1e-9)


def test_batch_norm_trains_on_the_unbiased_batch_statistics():
    norm = FlowBatchNorm(3).train()
    batch = torch.randn(50, 3, generator=seeded()) * 2 + 1
    values = batch.numpy().astype(float)
    mean, variance = values.mean(0), values.var(0, ddof=1)
    out, log_det = norm(batch)
    expected = (values - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(out.detach().numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(log_det.detach().numpy(), -0.5 * np.log(variance + 1e-5).sum(), rtol=1e-5)
    np.testing.assert_allclose(norm.running_mean.numpy(), 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(norm.running_var.numpy(), 0.9 + 0.1 * variance, rtol=1e-5)
    before = norm.running_mean.clone()
    norm.eval()(batch)
    assert torch.equal(norm.running_mean, before)


def test_kernels_survive_the_way_there_and_back():
    flow = KernelFlow(11, 15, 0.2335).eval()
    kernels = GaussianKernels(2).sample(64, seeded())
    back = flow.decode(flow.encode(flow.preprocess(kernels)))
    torch.testing.assert_close(back, kernels.clamp(min=0), atol=2e-6, rtol=0)


def test_dequantisation_adds_up_to_a_720th_of_the_scale():
    flow = KernelFlow(11, 15, 0.2335)
    kernels = GaussianKernels(2).sample(200, seeded())
    plain = torch.sigmoid(flow.preprocess(kernels))
    noisy = torch.sigmoid(flow.preprocess(kernels, seeded()))
    assert torch.equal(flow.preprocess(kernels, seeded()), flow.preprocess(kernels, seeded()))
    added = (noisy - plain) * 720
    assert -1e-3 < added.min() < 0.01
    assert 0.99 < added.max() < 1.001
    assert added.mean().item() == pytest.approx(0.5, abs=0.01)


def test_logits_stay_finite_for_pixels_at_and_beyond_the_ends():
    flow = KernelFlow(3, 4, 0.2)
    kernel = torch.tensor([-1e-3, 0, 0.1, 0.2, 0.21, 0.3, 1, 0.2, 0]).view(1, 1, 3, 3)
    for generator in (None, seeded()):
        logits = flow.preprocess(kernel, generator)
        assert torch.isfinite(logits).all()
        assert logits.abs().max() < 14


def test_states_are_read_strictly():
    flow = random_flow(5, 3, 7)
    again = KernelFlow.from_state_dict(flow.state_dict())
    assert not again.training
    assert (again.side, again.dimension) == (5, 25)
    code = torch.randn(2, 25, generator=seeded())
    assert torch.equal(again.decode(code), flow.decode(code))
    state = dict(flow.state_dict())
    del state["net.1.beta"]
    with pytest.raises(UserError, match=r"net\.1\.beta"):
        KernelFlow.from_state_dict(state)
    with pytest.raises(UserError, match="not an FKP flow"):
        KernelFlow.from_state_dict({"weight": torch.zeros(3)})
    with pytest.raises(UserError, match="not an FKP flow"):
        KernelFlow.from_state_dict({**flow.state_dict(), "normalization": torch.zeros(2)})


def test_samples_are_kernels_of_codes_on_the_sphere():
    flow = random_flow(5)
    drawn = flow.sample(8, seeded())
    assert torch.equal(drawn, flow.sample(8, seeded()))
    torch.testing.assert_close(drawn.sum((1, 2, 3)), torch.ones(8))
    code = torch.randn(8, 25, generator=seeded())
    kernels = flow.decode(4 * code / code.norm(dim=1, keepdim=True))
    torch.testing.assert_close(drawn, kernels / kernels.sum((1, 2, 3), keepdim=True))


def test_a_checkpoint_says_its_scale_and_levels_or_the_window_does():
    state = KernelFlow(15, 4, 0.2).state_dict()
    for architecture, scale, levels in (({}, 3, 720.0), ({"scale": 4, "levels": 5000.0}, 4, 5000.0)):
        checkpoint = Checkpoint(state, architecture)
        flow = flow_from(checkpoint)
        assert (scale_of(checkpoint, flow), flow.levels) == (scale, levels)
    other = Checkpoint(KernelFlow(7, 4, 0.2).state_dict())
    assert scale_of(other, flow_from(other)) is None


@pytest.mark.parametrize(
    ("scale", "nll", "norm"),
    [
        (2, -52.4, 10.43),
        pytest.param(3, -19.2, 14.33, marks=pytest.mark.slow),
        pytest.param(4, -7.5, 18.14, marks=pytest.mark.slow),
    ],
)
def test_published_weights_on_the_published_grid(
    published_weights: Path, scale: int, nll: float, norm: float
):
    flow = KernelFlow.from_state_dict(load_weights(str(published_weights / f"FKP_x{scale}.pt")).state)
    with torch.no_grad():
        logits = flow.preprocess(GaussianKernels(scale).validation_set(), seeded())
        assert -flow.log_prob(logits).mean().item() == pytest.approx(nll, abs=0.3)
        code = flow.encode(logits)
        assert code.norm(dim=1).mean().item() == pytest.approx(norm, abs=0.04)


@pytest.mark.parametrize(("scale", "mean", "sd"), [(2, 0.997, 0.047), (3, 1.025, 0.056), (4, 1.019, 0.045)])
def test_published_weights_on_the_sphere(published_weights: Path, scale: int, mean: float, sd: float):
    flow = KernelFlow.from_state_dict(load_weights(str(published_weights / f"FKP_x{scale}.pt")).state)
    code = torch.randn(2000, flow.dimension, generator=seeded())
    code = code / code.norm(dim=1, keepdim=True) * (flow.side - 1)
    with torch.no_grad():
        kernels = flow.decode(code)
        sums = kernels.sum((1, 2, 3))
        assert sums.mean().item() == pytest.approx(mean, abs=0.005)
        assert sums.std().item() == pytest.approx(sd, abs=0.005)
        assert kernels.min() > -1e-6
        # float32, on codes of kernels as of the sphere
        logits = flow.preprocess(GaussianKernels(scale).sample(500, seeded()), seeded())
        back = flow.preprocess(flow.decode(flow.encode(logits)))
        assert (back - logits).abs().quantile(0.99) < 1e-3
    state = arrays(flow)
    expected = 1 / (1 + np.exp(-reference.inverse(state, code[0].double().numpy())))
    np.testing.assert_allclose(
        kernels[0].flatten().numpy(), (expected - 1e-6) / (1 - 2e-6) * state["normalization"], atol=1e-6
    )
