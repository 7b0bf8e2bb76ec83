import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat
from scipy.ndimage import center_of_mass

from sr_lab.degradation.anchor import Anchor, anchor_centre
from sr_lab.degradation.kernel_files import KernelFiles, fit, shift_into
from sr_lab.errors import UserError

DATA = Path(os.environ.get("SR_LAB_DATA", Path(__file__).parents[3] / "shared" / "data"))


def blob(size: int, row: float, column: float, sd: float) -> np.ndarray:
    r, c = np.mgrid[:size, :size]
    kernel = np.exp(-((r - row) ** 2 + (c - column) ** 2) / (2 * sd**2))
    return kernel / kernel.sum()


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    savemat(tmp_path / "b.mat", {"Kernel": blob(15, 7, 6.3, 1.2)})
    np.save(tmp_path / "a.npy", blob(11, 5, 5, 0.8))
    np.save(tmp_path / "c.npy", blob(19, 9.7, 8, 2))
    return tmp_path


@given(
    row=st.floats(-2.5, 2.5),
    column=st.floats(-2.5, 2.5),
    sd=st.floats(0.3, 2.4),
    size=st.sampled_from([15, 19, 25]),
    scale=st.integers(1, 4),
    anchor=st.sampled_from(["fkp", "block_center"]),
)
@settings(max_examples=100, deadline=None)
def test_recentred_kernels(row: float, column: float, sd: float, size: int, scale: int, anchor: Anchor):
    kernel = blob(21, 10 + row, 10 + column, sd)
    wanted = anchor_centre(size, scale, anchor)
    try:
        ours = fit(kernel, size, wanted, "blob")
    except UserError:
        # refused: the tails that leave the window must really hold about a hundredth of the mass
        assume(min(wanted, size - 1 - wanted) < 2.2 * sd + 0.5)
        return
    assert ours.min() >= 0
    assert ours.sum() == pytest.approx(1)
    assert center_of_mass(ours) == pytest.approx((wanted, wanted), abs=0.05)
    # splitting between neighbours widens by at most 1/4 px^2 an axis; cutting tails narrows
    spread = (ours.sum(1) * (np.arange(size) - wanted) ** 2).sum()
    before = (kernel.sum(1) * (np.arange(21) - center_of_mass(kernel)[0]) ** 2).sum()
    assert 0.8 * before < spread < before + 0.26


def test_refused_only_when_mass_is_lost():
    with pytest.raises(UserError, match=r"window of 7 px cuts off .* of this 21 px kernel"):
        fit(blob(21, 10, 10, 3), 7, None, "wide")


def test_a_kernel_at_the_rim_is_moved_before_it_is_cropped():
    ours = fit(blob(31, 27, 3, 0.7), 9, 3.0, "rim")
    assert center_of_mass(ours) == pytest.approx((3, 3), abs=1e-3)


def test_cut_tails_do_not_displace_the_rest():
    kernel = np.zeros((31, 31))
    kernel[15, 15], kernel[15, 27] = 0.991, 0.009
    assert center_of_mass(fit(kernel, 15, 7.0, "tail")) == pytest.approx((7, 7), abs=1e-6)


def test_whole_shift_copies():
    kernel = blob(5, 2, 1.3, 1)
    moved = shift_into(kernel, 9, np.array([3.0, 1.0]))
    np.testing.assert_array_equal(moved[3:8, 1:6], kernel)
    assert moved.sum() == pytest.approx(1)


def test_fractional_shift_splits_between_neighbours():
    kernel = np.zeros((3, 3))
    kernel[1, 1] = 1
    moved = shift_into(kernel, 3, np.array([0.25, -0.5]))
    np.testing.assert_allclose(moved, [[0, 0, 0], [0.375, 0.375, 0], [0.125, 0.125, 0]])


def test_padding_and_cropping_about_the_middle():
    kernel = blob(9, 4, 3.5, 0.7)
    padded = fit(kernel, 13, None, "")
    np.testing.assert_allclose(padded[2:-2, 2:-2], kernel, rtol=1e-14)
    cropped = fit(padded, 7, None, "")
    np.testing.assert_allclose(cropped, kernel[1:-1, 1:-1] / kernel[1:-1, 1:-1].sum(), rtol=1e-14)


def test_folder(folder: Path):
    files = KernelFiles(folder, scale=3)
    assert files.names == ["a", "b", "c"]
    assert files.kernels.shape == (3, 1, 19, 19)
    for kernel in files.kernels[:, 0].numpy():
        assert kernel.sum() == pytest.approx(1, abs=1e-6)
        assert center_of_mass(kernel) == pytest.approx((8, 8), abs=0.05)


def test_kernels_may_stay_where_they_are(folder: Path):
    kernels = KernelFiles(folder, scale=3, recentre=False).kernels[:, 0].numpy()
    np.testing.assert_allclose(kernels[1][2:-2, 2:-2], blob(15, 7, 6.3, 1.2), atol=1e-7)


def test_sampling(folder: Path):
    files = KernelFiles(folder, scale=3)
    drawn = files.sample(300, seeded(1))
    assert drawn.dtype == torch.float32
    assert torch.equal(drawn, files.sample(300, seeded(1)))
    counts = [(drawn == kernel).all(-1).all(-1).sum() for kernel in files.kernels]
    assert sum(counts) == 300
    assert min(counts) > 70


@pytest.mark.parametrize("size", [14, 3])
def test_impossible_window(folder: Path, size: int):
    with pytest.raises(UserError, match="does not suit"):
        KernelFiles(folder, scale=3, size=size)


def test_too_small_a_window_names_the_kernel(folder: Path):
    with pytest.raises(UserError, match=r", b: a window of 7 px"):
        KernelFiles(folder, scale=3, size=7)


def test_published_kernel_is_not_resampled():
    path = DATA / "natural" / "fkp_test" / "102061_kernel_x4.mat"
    if not path.is_file():
        pytest.skip(f"no {path}: set SR_LAB_DATA")
    stored = torch.from_numpy(loadmat(path)["Kernel"]).float()
    torch.testing.assert_close(KernelFiles(path, scale=4).kernels[0, 0], stored, rtol=0, atol=0)


def test_published_motion_kernels_are_moved_to_the_anchor():
    path = DATA / "natural" / "kernels" / "kernels_12.mat"
    if not path.is_file():
        pytest.skip(f"no {path}: set SR_LAB_DATA")
    files = KernelFiles(path, scale=4, size=31, anchor="block_center")
    assert files.kernels.shape == (12, 1, 31, 31)
    for kernel in files.kernels[:, 0].numpy():
        assert center_of_mass(kernel) == pytest.approx((16.5, 16.5), abs=0.05)
