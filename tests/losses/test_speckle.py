"""The likelihood of speckle against its densities, and what is held out of it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sr_lab.degradation.speckle import speckle
from sr_lab.errors import UserError
from sr_lab.losses.speckle import SpeckleTerm, gamma_nll

POWER = st.floats(1e-3, 1e3)


@given(POWER, POWER, POWER, st.sampled_from([1.0, 2.5, 4.0]))
def test_gamma_is_the_density_up_to_what_the_mean_does_not_change(
    first: float, second: float, seen: float, looks: float
) -> None:
    """Against SciPy's Gamma density, and Fisher and Tippett's of the logarithm: differences of two means agree."""
    means = torch.tensor([[[first, second]]], dtype=torch.float64)
    ours = gamma_nll(means, torch.full_like(means, seen), looks)[0, 0]
    density = [-stats.gamma.logpdf(seen, looks, scale=mean / looks) for mean in (first, second)]
    u, v = math.log(seen), means[0, 0].log()
    fisher_tippett = looks * (v - u + torch.exp(u - v))
    gap = float(ours[0] - ours[1])
    assert gap == pytest.approx(density[0] - density[1], rel=1e-8, abs=1e-8)
    assert gap == pytest.approx(float(fisher_tippett[0] - fisher_tippett[1]), rel=1e-8, abs=1e-8)
    np.testing.assert_allclose((ours - fisher_tippett).numpy(), looks * u, rtol=1e-8, atol=1e-7)


@pytest.mark.parametrize("looks", [1, 4])
def test_only_the_likelihood_finds_the_mean_intensity(looks: int) -> None:
    """The amplitude that fits best, on a grid: Gamma's is the root of the mean, that of MSE lies below."""
    seen = speckle(torch.ones(1, 1, 256, 256), looks, torch.Generator().manual_seed(0)).sqrt()
    grid = torch.linspace(0.8, 1.1, 301)
    best = {
        loss: float(
            grid[
                SpeckleTerm(loss, looks).misfit(grid.view(-1, 1, 1, 1).expand(-1, 1, 256, 256), seen).argmin()
            ]
        )
        for loss in ("gamma", "mse")
    }
    assert best["gamma"] == pytest.approx(1, abs=0.01)
    wanted = math.gamma(looks + 0.5) / math.gamma(looks) / math.sqrt(looks)
    assert best["mse"] == pytest.approx(wanted, abs=0.01)


def test_held_out_pixels_are_a_share_and_no_other_loss_sees_them() -> None:
    term = SpeckleTerm(held_out=0.1)
    lr, out = torch.ones(2, 1, 64, 64), torch.ones(2, 1, 64, 64, requires_grad=True)
    term.misfit(out, 2 * lr).sum().backward()
    assert out.grad is not None
    unseen = out.grad == 0
    assert float(unseen.float().mean()) == pytest.approx(0.1, abs=0.02)
    changed = torch.where(unseen, 5.0, 1.0)
    torch.testing.assert_close(term.misfit(changed, lr), term.misfit(torch.ones_like(lr), lr))
    torch.testing.assert_close(
        term.misfit(changed, lr, held_out=True), torch.full((2,), math.log(25) + 1 / 25)
    )
    several = term.misfit(torch.stack([out.detach(), changed], 1), lr[:, None])
    torch.testing.assert_close(several[:, 1], term.misfit(changed, lr))


def test_decibels_and_roughness() -> None:
    term = SpeckleTerm(low=-20, high=0, roughness=2.0, exponent=1.0)
    drawn = torch.tensor([0.0, 1.0]).repeat(2, 1).view(1, 1, 2, 2)
    image = term.image(drawn)
    torch.testing.assert_close(image[0, 0, 0], torch.tensor([0.1, 1.0]))
    flat, steep = term.penalty(torch.ones(1, 1, 8, 8)), term.penalty(image)
    assert float(flat) == pytest.approx(0, abs=1e-6)
    assert float(steep) > 1
    assert SpeckleTerm().penalty(image) == 0
    cheap = SpeckleTerm(roughness=1.0, exponent=0.5)
    step = torch.cat([torch.ones(1, 1, 8, 8), torch.full((1, 1, 8, 8), 10.0)], -1)
    ramp = 10 ** (torch.arange(16.0).clamp(4, 12) - 4).div(8).expand(1, 1, 8, 16)
    assert float(cheap.penalty(step)) < float(cheap.penalty(ramp))


@pytest.mark.parametrize("wrong", [{"looks": 0}, {"low": 1, "high": 1}, {"held_out": 0.0}])
def test_impossible_terms_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match="looks"):
        SpeckleTerm(**wrong)  # pyright: ignore[reportArgumentType]
