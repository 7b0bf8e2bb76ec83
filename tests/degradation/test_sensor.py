"""What a detector adds: how much, in which direction, and the same again for the same seed."""

from typing import Any

import pytest
import torch

from sr_lab.config.build import build
from sr_lab.config.compose import compose, to_plain
from sr_lab.degradation.sensor import Sensor
from sr_lab.errors import UserError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def image(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=generator(9))


@pytest.mark.parametrize("walk", [0.0, 0.3, 1.0])
def test_stripes_are_offsets_of_columns_without_a_mean(walk: float) -> None:
    x = image(3, 1, 20, 64)
    y, _ = Sensor(column=(0.02, 0.02), walk=walk)(x, generator())
    added = y - x
    torch.testing.assert_close(added, added[:, :, :1].expand_as(added), atol=1e-6, rtol=0)
    assert added.mean((1, 2, 3)).abs().max() < 1e-6
    spread = added[:, 0, 0].std(1, correction=0)
    assert (spread / 0.02 - 1).abs().max() < (1e-4 if walk in (0, 1) else 0.4)
    assert not torch.equal(added[0], added[1]), "each image has a camera of its own"


def test_a_walk_makes_bands() -> None:
    def step(walk: float) -> float:
        y, _ = Sensor(column=(0.02, 0.02), walk=walk)(torch.zeros(20, 1, 2, 200), generator())
        return float(torch.diff(y, dim=-1).std() / 0.02)

    assert step(0.0) == pytest.approx(2**0.5, rel=0.05)
    assert step(1.0) < 0.4


def test_stripes_range_over_decades() -> None:
    x = torch.zeros(400, 1, 4, 32)
    spread = Sensor(column=(0.001, 0.1))(x, generator())[0].std((1, 2, 3), correction=0).log10()
    assert spread.min() > -3.001
    assert spread.max() < -0.999
    assert spread.mean().item() == pytest.approx(-2, abs=0.1)


def test_a_perfect_sensor_changes_nothing() -> None:
    x = image(2, 1, 12, 16)
    y, level = Sensor()(x, generator())
    assert torch.equal(x, y)
    assert level is not None
    assert level.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("part", "constant"), [("column", 2), ("row", 3), ("pixel", None), ("thermal", None)]
)
def test_each_part_alone(part: str, constant: int | None) -> None:
    x = image(2, 1, 90, 100)
    options: dict[str, Any] = {part: (0.02, 0.02)}
    y, level = Sensor(**options)(x, generator())
    added = y - x
    assert added.std().item() == pytest.approx(0.02, rel=0.05)
    if constant is not None:
        torch.testing.assert_close(added, added.narrow(constant, 0, 1).expand_as(added), atol=1e-6, rtol=0)
    assert level is not None
    torch.testing.assert_close(level, torch.full((2,), 0.02 if part == "thermal" else 0.0))


def test_gain_is_relative_to_the_signal() -> None:
    sensor = Sensor(gain=(0.03, 0.03))
    ones = torch.ones(1, 1, 80, 90)
    added = sensor(ones, generator())[0] - ones
    torch.testing.assert_close(sensor(3 * ones, generator())[0] - 3 * ones, 3 * added)
    assert added.std().item() == pytest.approx(0.03, rel=0.2)


def test_dead_pixels_shading_drift_and_steps() -> None:
    x = image(1, 1, 200, 200)
    dead = Sensor(dead=0.01)(x, generator())[0]
    changed = dead[dead != x]
    assert len(changed) == pytest.approx(400, abs=80)
    assert set(changed.tolist()) <= {x.min().item(), x.max().item()}
    bowl = Sensor(shading=0.1)(x, generator())[0] - x
    assert 0.005 < bowl.std() < 0.1
    assert bowl.mean().abs() < 1e-5
    assert torch.diff(bowl, dim=-1).abs().max() < 0.01
    drifted = Sensor(column=(0.02, 0.02), drift=4)(x.expand(50, -1, -1, -1), generator())[0] - x
    factors = drifted.std((1, 2, 3), correction=0) / 0.02
    assert 1 <= factors.min() < 1.5
    assert 4 < factors.max() <= 5.001
    stored = Sensor(step=0.25)(3 * x - 1, generator())[0]
    assert torch.equal(stored / 0.25, (stored / 0.25).round())
    assert stored.max() > 1.5, "whole counts, and nothing clipped"


@pytest.mark.parametrize("name", ["sensor", "column_stripes"])
def test_the_shipped_configs(name: str) -> None:
    config = to_plain(compose(["scene=infrared", "experiment=bicubic", f"degradation={name}", "scale=4"]))
    degradation = build(config["degradation"], "degradation", ("sr_lab.",))
    hr = image(2, 1, 96, 128)
    degraded = degradation.degrade(hr, generator(3))
    assert degraded.lr.shape == (2, 1, 24, 32)
    assert torch.equal(degraded.lr, degradation.degrade(hr, generator(3)).lr), "a seed is a camera"
    assert not torch.equal(degraded.lr, degradation.degrade(hr, generator(4)).lr)
    clean = degradation(hr, degraded.kernel)
    assert 0 < (degraded.lr - clean).std() < 0.2
    if name == "sensor":
        assert degraded.kernel is not None, "of the optics"
        assert ((degraded.noise_level >= 0.001) & (degraded.noise_level <= 0.04)).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"column": (0, 0.1)}, "column"),
        ({"row": (0.2, 0.1)}, "row"),
        ({"dead": 2}, "dead 2"),
        ({"step": -1}, "not negative"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Sensor(**options)
