import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import motion as reference
from scipy.integrate import trapezoid
from scipy.ndimage import center_of_mass

from sr_lab.degradation.anchor import Anchor, anchor_centre, default_kernel_size
from sr_lab.degradation.motion import CameraShake, LineMotion, splat
from sr_lab.errors import UserError

SAMPLERS = [LineMotion, CameraShake]
Sampler = type[LineMotion] | type[CameraShake]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sampler", SAMPLERS)
@given(
    scale=st.integers(1, 8),
    extra=st.integers(0, 6),
    anchor=st.sampled_from(["fkp", "block_center"]),
    n=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=25, deadline=None)
def test_kernels_are_kernels_at_their_anchor(
    sampler: Sampler, scale: int, extra: int, anchor: Anchor, n: int, seed: int
):
    size = default_kernel_size(scale) + 2 * extra
    kernels = sampler(scale=scale, size=size, anchor=anchor).sample(n, seeded(seed))
    assert kernels.shape == (n, 1, size, size)
    assert kernels.dtype == torch.float32
    assert kernels.min() >= 0
    torch.testing.assert_close(kernels.sum((-3, -2, -1)), torch.ones(n))
    wanted = anchor_centre(size, scale, anchor)
    for kernel in kernels[:, 0].numpy():
        assert center_of_mass(kernel) == pytest.approx((wanted, wanted), abs=1e-3)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_seed_decides(sampler: Sampler):
    make = sampler(scale=4)
    first = make.sample(3, seeded(7))
    torch.testing.assert_close(make.sample(3, seeded(7)), first, rtol=0, atol=0)
    assert not torch.equal(make.sample(3, seeded(8)), first)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_block_center_is_fkp_turned_by_180_degrees(sampler: Sampler):
    fkp = sampler(scale=3).sample(5, seeded(0))
    block = sampler(scale=3, anchor="block_center").sample(5, seeded(0))
    torch.testing.assert_close(block, fkp.flip(-2, -1), rtol=0, atol=0)


def test_line_is_a_linearly_warped_row(monkeypatch: pytest.MonkeyPatch):
    # x3 in 19 px has its anchor on a whole pixel, as the warp of a row of ones needs
    drawn = math.pi * 37 / 180
    monkeypatch.setattr(
        "sr_lab.degradation.motion._uniform",
        lambda low, high, n, generator: torch.full((n,), low if low == high else drawn, dtype=torch.float64),
    )
    ours = LineMotion(scale=3, size=19, length=9).sample(1, seeded(0))[0, 0].double().numpy()
    theirs = reference.line(19, 8, 4, 37)
    assert np.abs(ours - theirs).max() < 1e-6


@pytest.mark.parametrize(("scale", "length"), [(2, 5), (3, 7), (4, 9)])
def test_default_line_has_the_published_length(scale: int, length: int):
    # second moment of `length` unit masses one pixel apart, widened by the linear interpolation
    kernels = LineMotion(scale=scale).sample(200, seeded(0))[:, 0].double()
    offset = torch.arange(kernels.shape[-1], dtype=torch.float64) - anchor_centre(
        kernels.shape[-1], scale, "fkp"
    )
    spread = (kernels * (offset[:, None] ** 2 + offset**2)).sum((1, 2)).mean().item()
    assert spread == pytest.approx((length**2 - 1) / 12 + 2 / 6, rel=0.05)


def test_line_angles_cover_the_half_circle():
    kernels = LineMotion(scale=4).sample(2000, seeded(0))[:, 0].double()
    offset = torch.arange(19, dtype=torch.float64) - 7.5
    rows = (kernels.sum(2) * offset**2).sum(1)
    columns = (kernels.sum(1) * offset**2).sum(1)
    mixed = (kernels * offset[:, None] * offset).sum((1, 2))
    angle = torch.atan2(2 * mixed, columns - rows) / 2
    counts = torch.histc(angle, bins=8, min=-math.pi / 2, max=math.pi / 2)
    assert counts.min() > 200
    assert counts.max() < 300


def test_length_range_is_used():
    peaks = LineMotion(scale=4, length=(3, 13)).sample(400, seeded(0)).amax((1, 2, 3))
    assert peaks.max() > 2.5 * peaks.min()


@given(
    points=st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=20),
)
@settings(max_examples=50, deadline=None)
def test_splat_matches_point_by_point(points: list[tuple[float, float]]):
    path = np.array(points)
    ours = splat(torch.from_numpy(path)[None], 11)[0].numpy()
    np.testing.assert_allclose(ours, reference.splat(path, 11), atol=1e-12)
    np.testing.assert_allclose(center_of_mass(ours), path.mean(0), atol=1e-9)


def test_calm_camera_draws_a_straight_line():
    shake = CameraShake(scale=4, length=8, tremor=0, pull=0, jerks=0)
    for kernel in shake.sample(20, seeded(0))[:, 0].double().numpy():
        r, c = np.mgrid[:19, :19] - 7.5
        moments = np.array([[(kernel * a * b).sum() for b in (r, c)] for a in (r, c)])
        small, large = np.linalg.eigvalsh(moments)
        assert small < 0.2  # bilinear width only
        assert large == pytest.approx(64 / 12, rel=0.06)


@pytest.mark.parametrize(
    ("option", "low", "high"), [("tremor", 0.0, 6.0), ("pull", 0.0, 400.0), ("jerks", 0.0, 8.0)]
)
def test_each_cause_keeps_the_path_together(option: str, low: float, high: float):
    def extent(value: float) -> float:
        calm: dict[str, Any] = {"tremor": 0.5, "pull": 0.0, "jerks": 0.0, option: value}
        kernels = CameraShake(scale=4, length=14, **calm).sample(300, seeded(0))[:, 0]
        offset = torch.arange(19) - 7.5
        return (kernels * (offset[:, None] ** 2 + offset**2)).sum((1, 2)).mean().item()

    assert extent(high) < 0.8 * extent(low)


def test_tremor_bends_the_path_like_a_diffusing_heading():
    # mean squared distance between points a fraction u apart, heading variance sd^2 u; its mean is the spread
    sd = np.linspace(0, 4, 401)[1:, None]
    u = np.linspace(0, 1, 1001)
    rate = sd**2 / 2
    between = 2 * (u / rate - (1 - np.exp(-rate * u)) / rate**2)
    gyration = trapezoid((1 - u) * between, u, axis=1).mean()
    kernels = CameraShake(scale=4, length=8, tremor=4, pull=0, jerks=0).sample(4000, seeded(0))[:, 0]
    offset = torch.arange(19) - 7.5
    spread = (kernels * (offset[:, None] ** 2 + offset**2)).sum((1, 2)).mean().item()
    assert spread == pytest.approx(64 * gyration + 2 / 6, rel=0.03)


def test_long_paths_are_shrunk_into_the_window():
    shake = CameraShake(scale=4, length=200, tremor=0, pull=0, jerks=0)
    kernels = shake.sample(50, seeded(0))
    torch.testing.assert_close(kernels.sum((1, 2, 3)), torch.ones(50))
    border = torch.cat([kernels[..., 0, :], kernels[..., :, 0]], -1)
    assert (border.amax((1, 2)) > 0).all()  # they reach the edge that is nearest


@pytest.mark.parametrize(
    ("sampler", "options"),
    [
        (LineMotion, {"scale": 4, "size": 18}),
        (LineMotion, {"scale": 4, "size": 3}),
        (LineMotion, {"scale": 4, "length": 17}),
        (LineMotion, {"scale": 4, "length": (9.0, 3.0)}),
        (LineMotion, {"scale": 4, "length": 0.5}),
        (CameraShake, {"scale": 0}),
        (CameraShake, {"scale": 4, "length": (0.0, 3.0)}),
        (CameraShake, {"scale": 4, "pull": -1.0}),
    ],
)
def test_bad_options_are_refused(sampler: Sampler, options: dict[str, Any]):
    with pytest.raises(UserError, match=sampler.__name__):
        sampler(**options)


def test_a_range_has_two_ends():
    with pytest.raises(UserError, match="3 values"):
        LineMotion(scale=4, length=[3, 5, 7])
    assert LineMotion(scale=4, length=[3, 5]).sample(1, seeded(0)).shape == (1, 1, 19, 19)
