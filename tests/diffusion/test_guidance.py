"""What each guidance does to a network that predicts a latent: the sign above all."""

import pytest
import torch
from torch import Tensor, nn

from sr_lab.diffusion.guidance import Added, Guidance, Injected, Prediction, Unguided
from sr_lab.errors import UserError


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def prediction(found: Tensor, hr: Tensor, noisy: Tensor | None = None, factor: float = 0.3) -> Prediction:
    noisy = images(*hr.shape) if noisy is None else noisy
    return Prediction(found, hr, noisy, torch.full((len(hr), 1, 1, 1), factor), lambda z: z, hr)


def slope(guidance: Guidance, found: Tensor, hr: Tensor) -> Tensor:
    """Of the training loss by the prediction."""
    found = found.clone().requires_grad_()
    loss, _ = guidance(prediction(found, hr))
    (by_found,) = torch.autograd.grad(loss, found)
    return by_found


def test_unguided_is_the_squared_error() -> None:
    found, hr = images(2, 1, 8, 8), images(2, 1, 8, 8, seed=1)
    loss, terms = Unguided()(prediction(found, hr))
    assert loss.item() == pytest.approx((found - hr).square().mean().item())
    assert not terms


def test_added_is_the_sum_of_its_terms() -> None:
    found, hr = images(2, 1, 8, 8), images(2, 1, 8, 8, seed=1)
    loss, terms = Added({"l1": 0.5, "features": 2.0}, lambda_features())(prediction(found, hr))
    squared = (found - hr).square().mean()
    l1, features = (found - hr).abs().mean(), (found - hr).mean().abs()
    assert loss.item() == pytest.approx((squared + 0.5 * l1 + 2 * features).item(), rel=1e-5)
    assert terms["l1"].item() == pytest.approx(l1.item())


def lambda_features() -> nn.Module:
    class Mean(nn.Module):
        def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
            return (sr - hr).mean().abs().expand(len(sr))

    return Mean()


@pytest.mark.parametrize("through", ["latent", "network"])
def test_descent_lowers_the_guidance_loss_with_the_right_sign_alone(through: str) -> None:
    hr, noisy = images(2, 1, 8, 8, seed=1), images(2, 1, 8, 8).requires_grad_()
    found = 0.9 * noisy + 0.01

    def moved(guidance: Guidance) -> Tensor:
        loss, _ = guidance(prediction(found, hr, noisy))
        (by_found,) = torch.autograd.grad(loss, found, retain_graph=True)
        return (found - 20 * by_found - hr).abs().mean()  # the guidance loss after a step of descent

    plain, right, literal = (
        moved(guidance)
        for guidance in (
            Unguided(),
            Injected({"l1": 1.0}, through=through),  # pyright: ignore[reportArgumentType]
            Injected({"l1": 1.0}, sign="literal", through=through),  # pyright: ignore[reportArgumentType]
        )
    )
    assert right < plain < literal


def test_the_shift_is_rho_of_the_error_and_no_more_than_the_factor() -> None:
    found, hr = images(1, 1, 8, 8), images(1, 1, 8, 8, seed=1)
    shift = (
        (slope(Injected({"l1": 1.0}, rho=0.5), found, hr) - slope(Unguided(), found, hr)) * found.numel() / 2
    )
    error = (found - hr).square().mean().sqrt()
    assert shift.square().mean().sqrt().item() == pytest.approx(0.5 * 0.3 * error.item(), rel=1e-4)


def test_at_the_truth_nothing_pulls() -> None:
    hr = images(1, 1, 16, 16)
    for guidance in (Unguided(), Added({"log_spectrum": 1.0}), Injected({"log_spectrum": 1.0})):
        assert slope(guidance, hr, hr).abs().max() < 1e-6


def test_what_makes_no_sense_is_told() -> None:
    with pytest.raises(UserError, match="log_spectrum"):
        Added({"log_spektrum": 1.0})
    with pytest.raises(UserError, match="features"):
        Added({"features": 1.0})
    with pytest.raises(UserError, match="strength"):
        Injected({"l1": 1.0}, rho=0.0)
