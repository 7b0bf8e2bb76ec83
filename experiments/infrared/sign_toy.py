"""Which sign an injected gradient must have, on a problem small enough to see through.

    python experiments/infrared/sign_toy.py

A linear network in 50 dimensions is to predict z0 from z_t; the guidance loss is the squared error itself, so that the
right answer is the same for every guidance, and only the way there differs.
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from sr_lab.diffusion.guidance import Added, Guidance, Injected, Prediction, Unguided

DIMENSIONS, SAMPLES, STEPS, RATE = 50, 400, 30, 3.0
HERE = Path(__file__).parent


class SquaredError(nn.Module):
    """The guidance loss of the toy."""

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Mean squared difference of each sample."""
        return (sr - hr).square().mean((1, 2, 3))


GUIDANCE: dict[str, Guidance] = {
    "none": Unguided(),
    "added": Added({"features": 1.0}, SquaredError()),
    "injected, right sign": Injected({"features": 1.0}, SquaredError()),
    "injected, literal": Injected({"features": 1.0}, SquaredError(), sign="literal"),
    "injected, literal, rho 1.5": Injected({"features": 1.0}, SquaredError(), rho=1.5, sign="literal"),
    "injected through the network, right sign": Injected(
        {"features": 1.0}, SquaredError(), through="network"
    ),
    "injected through the network, literal": Injected(
        {"features": 1.0}, SquaredError(), sign="literal", through="network"
    ),
}


def errors(guidance: Guidance, seed: int) -> list[float]:
    """Mean squared error before the first step and after each."""
    random = torch.Generator().manual_seed(seed)
    truth = torch.randn(DIMENSIONS, DIMENSIONS, generator=random) / DIMENSIONS**0.5
    noisy = torch.randn(SAMPLES, DIMENSIONS, 1, 1, generator=random)
    z0 = torch.einsum("ij,njhw->nihw", truth, noisy)
    weight = torch.zeros(DIMENSIONS, DIMENSIONS, requires_grad=True)
    course = []
    for _ in range(STEPS + 1):
        given = noisy.clone().requires_grad_(guidance.through_network)
        found = torch.einsum("ij,njhw->nihw", weight, given)
        course.append((found - z0).square().mean().item())
        loss, _ = guidance(Prediction(found, z0, given, torch.ones(SAMPLES, 1, 1, 1), lambda z: z, z0))
        (slope,) = torch.autograd.grad(loss, weight)
        weight = (weight - RATE * slope).detach().requires_grad_()
    return course


def main() -> None:
    """Three seeds each; figures to sign_toy.json."""
    rows = {}
    for name, guidance in GUIDANCE.items():
        finals = [errors(guidance, seed)[-1] for seed in range(3)]
        rows[name] = {"mse": finals, "mean": sum(finals) / 3}
        print(f"{name:42} {rows[name]['mean']:.5f}  of {errors(guidance, 0)[0]:.3f} at the start")
    (HERE / "sign_toy.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
