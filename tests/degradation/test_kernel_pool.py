from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference.kernel_pool import blob, warp, write_pool
from scipy.io import savemat
from scipy.ndimage import center_of_mass

from sr_lab.degradation.anchor import anchor_centre
from sr_lab.degradation.kernel_files import KernelFiles, place_kernels, width
from sr_lab.degradation.kernel_pool import KernelPool, fingerprint
from sr_lab.errors import UserError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pool(tmp_path_factory.mktemp("pool"), 20, (9, 12, 15, 33))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_mixed_and_even_sizes_come_to_one_window_and_one_centre(folder: Path, scale: int) -> None:
    pool = KernelPool(folder, scale=scale)
    assert pool.kernel_size == 33
    assert (len(pool.plain), len(pool.validation)) == (16, 4)
    for kernel in torch.cat([pool.plain, pool.validation])[:, 0].numpy():
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert center_of_mass(kernel) == pytest.approx([(33 - scale) / 2] * 2, abs=0.05)


def test_an_even_kernel_is_moved_by_half_a_pixel_as_its_centre_asks(tmp_path: Path) -> None:
    even = np.zeros((4, 4))
    even[1:3, 1:3] = 0.25  # its centre lies between pixels, as the anchor of an even scale does
    np.save(tmp_path / "k.npy", even)
    kernel = KernelFiles(tmp_path, scale=2, size=9).kernels[0, 0].numpy()
    np.testing.assert_allclose(kernel[3:5, 3:5], 0.25)


def test_the_window_grows_where_centring_needs_it(tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", blob(9, 4, 4, 2.5))
    window, (wide,) = place_kernels(tmp_path, scale=4)
    assert window > 9
    assert wide.fault is None
    with pytest.raises(UserError, match=r"a window of 9 px cuts off .* %"):
        KernelFiles(tmp_path, scale=4, size=9)


def test_flip_turns_the_files(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.triu(np.ones((5, 5))))
    plain, turned = (KernelFiles(tmp_path, scale=2, size=9, flip=flip) for flip in (False, True))
    np.testing.assert_allclose(turned.stored[0], plain.stored[0][::-1, ::-1])
    assert not torch.allclose(turned.kernels, plain.kernels)


@given(
    seed=st.integers(0, 10**6),
    angle=st.floats(0, 2 * np.pi),
    zoom=st.floats(0.8, 1.25),
    mirror=st.sampled_from([-1.0, 1.0]),
    move=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    scale=st.integers(2, 4),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_variation_is_one_bilinear_interpolation(
    folder: Path, seed: int, angle: float, zoom: float, mirror: float, move: tuple[float, float], scale: int
) -> None:
    pool = KernelPool(folder, scale=scale, size=33, seed=seed % 3)
    index = seed % len(pool.plain)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = zoom * np.array([[cos, -sin * mirror], [sin, cos * mirror]])
    ours = pool._warped(torch.tensor([index]), torch.tensor(matrix[None]).float(), torch.tensor([move]))
    stored = pool._canvas[index, 0].double().numpy()
    expected = warp(stored, matrix, np.array(move), anchor_centre(33, scale, "fkp"), 33)
    np.testing.assert_allclose(ours[0, 0].numpy(), expected, atol=2e-5)


def test_without_variation_the_files_themselves_are_drawn(folder: Path) -> None:
    pool = KernelPool(folder, scale=4, turn="none", zoom=0.0, shift=0.0, mix=0.0)
    for kernel in pool.sample(50, seeded()):
        assert (pool.plain - kernel).abs().amax((1, 2, 3)).min() < 1e-4


@pytest.mark.parametrize("turn", ["quarter", "any", "none"])
def test_draws_are_kernels_near_the_anchor_with_widths_of_the_pool(folder: Path, turn: str) -> None:
    pool = KernelPool(folder, scale=4, turn=turn)  # pyright: ignore[reportArgumentType]
    drawn = pool.sample(300, seeded())
    assert torch.equal(drawn, pool.sample(300, seeded()))
    assert drawn.min() >= 0
    assert drawn.max() < pool.normalization()
    torch.testing.assert_close(drawn.sum((1, 2, 3)), torch.ones(300))
    centres = np.array([center_of_mass(kernel) for kernel in drawn[:, 0].numpy()])
    assert np.abs(centres - 14.5).max() < 0.25 + 0.05
    assert np.abs(centres - 14.5).max() > 0.2
    stored = [width(kernel.numpy()) for kernel in pool.plain[:, 0].double()]
    widths = [width(kernel.numpy()) for kernel in drawn[:, 0].double()]
    assert min(stored) / 1.15 < min(widths) < min(stored)
    assert max(stored) < max(widths) < max(stored) * 1.15
    # upright Gaussians stay upright unless turned by any angle
    rows = torch.arange(33.0) - 14.5
    skew = torch.einsum("nrc,r,c->n", drawn[:, 0], rows, rows).abs()
    assert (skew.max() > 0.3) == (turn == "any")


def test_what_is_held_out_is_never_drawn_and_equal_kernels_stay_together(tmp_path: Path) -> None:
    folder = write_pool(tmp_path / "pool", 10, (9,))
    for copy in range(5):
        np.save(folder / f"copy{copy}.npy", np.load(folder / "k00.npy"))
    splits = [KernelPool(folder, scale=2, held_out=0.3, seed=seed) for seed in range(4)]
    assert len({tuple(pool.held_out_names) for pool in splits}) > 1
    for pool in splits:
        kept_back = {fingerprint(kernel) for kernel in _stored(folder, pool.held_out_names)}
        assert len(kept_back) == 3
        assert not kept_back & set(pool.learned_from)
        assert len(pool.plain) + len(pool.validation) == 15
        assert pool.facts() == {"scale": 2, "learned_from": pool.learned_from}


def _stored(folder: Path, names: list[str]) -> list[np.ndarray]:
    files = KernelFiles(folder, scale=2)
    return [kernel for name, kernel in zip(files.names, files.stored, strict=True) if name in names]


def test_a_mat_stack_is_a_pool(tmp_path: Path) -> None:
    stack = np.stack([blob(33, 16, 16, sd) for sd in np.linspace(1, 4, 12)], axis=2)
    savemat(tmp_path / "stack.mat", {"kernels": stack})
    pool = KernelPool(tmp_path / "stack.mat", scale=4, held_out=0.25)
    assert pool.kernel_size == 33
    assert (len(pool.plain), len(pool.validation)) == (9, 3)


def test_too_few_kernels_are_refused_with_the_way_out(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", blob(9, 4, 4, 1))
    with pytest.raises(UserError, match=r"1 different kernel cannot .* prior=file"):
        KernelPool(tmp_path, scale=2)


def test_bad_files_are_named_before_anything_is_learned(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no kernel here"):
        KernelPool(tmp_path, scale=2)
    write_pool(tmp_path, 6, (9,))
    (tmp_path / "broken.npy").write_bytes(b"no kernel")
    with pytest.raises(UserError, match=r"broken\.npy"):
        KernelPool(tmp_path, scale=2)
    np.save(tmp_path / "sharp.npy", -blob(9, 4, 4, 1))
    with pytest.raises(UserError, match=r"2 of 8 kernels cannot be used.*kernels check"):
        KernelPool(tmp_path, scale=2)


@pytest.mark.parametrize("wrong", [{"held_out": 0.0}, {"zoom": -0.1}, {"shift": -1.0}, {"mix": 2.0}])
def test_shares_and_spreads_make_sense(folder: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match="held_out"):
        KernelPool(folder, scale=2, **wrong)  # pyright: ignore[reportArgumentType]
