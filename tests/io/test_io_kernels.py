import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import loadmat, savemat

from sr_lab.errors import UserError
from sr_lab.io.images import write_image
from sr_lab.io.kernels import (
    contact_sheet,
    kernel_picture,
    read_kernel,
    read_kernels,
    survey_kernels,
    write_kernel,
)

rng = np.random.default_rng(0)
KERNEL = rng.random((7, 7))
UNIT = KERNEL / KERNEL.sum()
DATA = Path(os.environ.get("SR_LAB_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
STORED = DATA / "natural" / "kernels"
needs_data = pytest.mark.skipif(not STORED.is_dir(), reason="SR_LAB_DATA (or ../shared/data) has no kernels")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


@given(
    kernel=st.sampled_from([1, 3, 5, 9]).flatmap(
        lambda side: arrays(np.float64, (side, side), elements=st.floats(1e-6, 1e6))
    ),
    suffix=st.sampled_from([".mat", ".npy"]),
)
def test_round_trip_is_exact(folder: Path, kernel: np.ndarray, suffix: str) -> None:
    write_kernel(folder / f"k{suffix}", kernel)
    back = read_kernel(folder / f"k{suffix}", normalise=False)
    assert back.dtype == np.float64
    np.testing.assert_array_equal(back, kernel)
    np.testing.assert_allclose(read_kernel(folder / f"k{suffix}"), kernel / kernel.sum(), rtol=1e-12)


def test_mat_files_hold_the_variable_that_others_look_for(tmp_path: Path) -> None:
    write_kernel(tmp_path / "new" / "k.mat", KERNEL.astype(np.float32))
    stored = loadmat(tmp_path / "new" / "k.mat")["Kernel"]
    assert stored.dtype == np.float64
    np.testing.assert_array_equal(stored, KERNEL.astype(np.float32))


def test_variable_is_kernel_or_else_the_only_square_one(tmp_path: Path) -> None:
    path = tmp_path / "k.mat"
    others = {"scale": 4, "sizes": np.ones((1, 7)), "note": "text", "set": {"a": 1}}
    savemat(path, {"other": np.ones((5, 5)), "Kernel": KERNEL, **others})
    np.testing.assert_allclose(read_kernel(path), UNIT)
    savemat(path, {"psf": KERNEL, **others})
    np.testing.assert_allclose(read_kernel(path), UNIT)
    assert [name for name, _ in read_kernels(path)] == ["k"]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_pictures_are_weights(tmp_path: Path, suffix: str, bits: Any) -> None:
    path = tmp_path / f"k{suffix}"
    write_image(path, KERNEL[..., None], bits=bits)
    np.testing.assert_allclose(read_kernel(path), UNIT, atol=1 / 2**bits / KERNEL.sum())
    write_image(path, np.repeat(KERNEL[..., None], 3, axis=2), bits=bits)
    np.testing.assert_allclose(read_kernel(path, normalise=False), KERNEL, atol=1 / 2**bits)


def test_tiny_negative_weights_of_a_spline_are_kept(tmp_path: Path) -> None:
    kernel = KERNEL.copy()
    kernel[0, 0] = -1e-8
    write_kernel(tmp_path / "k.npy", kernel)
    assert read_kernel(tmp_path / "k.npy")[0, 0] < 0


def save_npy(values: Any) -> Callable[[Path], None]:
    return lambda path: np.save(path, values, allow_pickle=True)


def save_mat(**variables: Any) -> Callable[[Path], None]:
    return lambda path: savemat(path, variables)


def bytes_of(content: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content)


def sharpening(above: float, below: float) -> np.ndarray:
    kernel = np.zeros((3, 3))
    kernel[1, 1], kernel[0, 0] = above, -below
    return kernel


def cut_mat(path: Path) -> None:
    savemat(path, {"Kernel": rng.random((25, 25))})
    path.write_bytes(path.read_bytes()[:900])


def cut_npy(path: Path) -> None:
    np.save(path, KERNEL)
    path.write_bytes(path.read_bytes()[:-8])


BAD = [
    ("k.mat", lambda path: None, "no such file"),
    ("k.mat", lambda path: path.mkdir(), "a folder, not a file"),
    ("k.npy", bytes_of(b""), "is empty"),
    ("k.txt", bytes_of(b"1 2 3"), "not read from '.txt'"),
    ("k.mat", bytes_of(b"just some text, longer than a header" * 9), "damaged"),
    ("k.mat", cut_mat, "damaged"),
    ("k.npy", bytes_of(b"just some text"), "damaged"),
    ("k.npy", cut_npy, "damaged"),
    ("k.npy", save_npy(np.array([{"a": 1}])), "damaged"),
    ("k.png", bytes_of(b"just some text"), "not an image"),
    ("k.mat", save_mat(note="text"), "holds no matrix"),
    ("k.mat", save_mat(a=KERNEL, b=np.ones((5, 5))), r"holds a \(7 x 7\), b \(5 x 5\)"),
    ("k.mat", save_mat(Kernel=np.ones((5, 5, 12))), r"Kernel \(12 matrices, the first 5 x 5\)"),
    ("k.npy", save_npy(np.ones((3, 5, 5))), r"k \(3 matrices, the first 5 x 5\)"),
    ("k.npy", save_npy(np.ones(5)), "holds no matrix"),
    ("k.npy", save_npy(np.ones((5, 5), dtype=complex)), "holds no matrix"),
    ("k.npy", save_npy(np.ones((8, 8))), "size is 8 x 8"),
    ("k.npy", save_npy(np.ones((7, 9))), "size is 7 x 9"),
    ("k.mat", save_mat(Kernel=np.ones((1, 5))), "size is 1 x 5"),
    ("k.npy", save_npy(np.full((3, 3), np.nan)), "NaN or infinity"),
    ("k.npy", save_npy(np.full((3, 3), np.inf)), "NaN or infinity"),
    ("k.npy", save_npy(np.zeros((3, 3))), "sum to 0 above zero"),
    ("k.npy", save_npy(-np.ones((3, 3))), "sum to 0 above zero"),
    ("k.npy", save_npy(sharpening(1, 0.11)), "0.11 below"),
]


@pytest.mark.parametrize(("name", "make", "message"), BAD)
def test_bad_input_is_one_clear_error(
    tmp_path: Path, name: str, make: Callable[[Path], Any], message: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(UserError, match=message) as caught:
        read_kernel(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)
    assert caught.value.fix
    assert "\n" not in str(caught.value)


def test_a_tenth_below_zero_is_borne(tmp_path: Path) -> None:
    write_kernel(tmp_path / "k.npy", sharpening(1, 0.09))
    assert read_kernel(tmp_path / "k.npy").sum() == pytest.approx(1)


def test_colour_pictures_and_other_suffixes_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "k.png", rng.random((5, 5, 3)))
    with pytest.raises(UserError, match="in colour"):
        read_kernel(tmp_path / "k.png")
    with pytest.raises(UserError, match="not written as"):
        write_kernel(tmp_path / "k.png.txt", KERNEL)


def test_cells_of_several_sizes_keep_their_order(tmp_path: Path) -> None:
    kernels = [rng.random((side, side)) for side in (5, 3, 9, 7)]
    cell = np.empty((2, 2), dtype=object)
    for index, kernel in enumerate(kernels):
        cell[index % 2, index // 2] = kernel  # MATLAB counts down the columns
    scalars = np.empty(3, dtype=object)
    scalars[:] = [1.0, 2.0, 3.0]
    savemat(tmp_path / "set.mat", {"kernels": cell, "scale": 4, "noise": scalars})
    found = read_kernels(tmp_path / "set.mat", normalise=False)
    assert [name for name, _ in found] == ["set_01", "set_02", "set_03", "set_04"]
    for (_, kernel), expected in zip(found, kernels, strict=True):
        np.testing.assert_array_equal(kernel, expected)


# a cube, five of 5 x 5, is read by the format's custom
@pytest.mark.parametrize(
    ("suffix", "axis", "count"),
    [(".mat", 2, 2), (".mat", 0, 2), (".npy", 2, 2), (".npy", 0, 2), (".mat", 2, 5), (".npy", 0, 5)],
)
def test_stacks_are_split_along_the_odd_one_out(tmp_path: Path, suffix: str, axis: int, count: int) -> None:
    kernels = rng.random((count, 5, 5))
    stack = np.moveaxis(kernels, 0, axis)
    (save_mat(k=stack) if suffix == ".mat" else save_npy(stack))(tmp_path / f"s{suffix}")
    found = read_kernels(tmp_path / f"s{suffix}", normalise=False)
    np.testing.assert_array_equal(np.stack([kernel for _, kernel in found]), kernels)


def test_folders_are_read_in_order_with_unique_names(tmp_path: Path) -> None:
    write_kernel(tmp_path / "b.mat", KERNEL)
    write_kernel(tmp_path / "b.npy", KERNEL)
    np.save(tmp_path / "a.npy", np.ones((2, 3, 3)))
    write_image(tmp_path / "c.png", KERNEL[..., None])
    (tmp_path / "readme.txt").write_text("no kernel")
    (tmp_path / ".hidden.npy").write_text("no kernel")
    found = read_kernels(tmp_path)
    assert [name for name, _ in found] == ["a_01", "a_02", "b.mat", "b.npy", "c"]
    assert all(kernel.sum() == pytest.approx(1) for _, kernel in found)


def test_errors_in_sets_name_the_file_and_the_kernel(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no kernel here"):
        read_kernels(tmp_path)
    np.save(tmp_path / "a.npy", np.stack([np.ones((3, 3)), np.zeros((3, 3))]))
    with pytest.raises(UserError, match=r"a\.npy, kernel 2: "):
        read_kernels(tmp_path)


def test_a_survey_goes_on_behind_a_fault(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([np.ones((3, 3)), np.zeros((3, 3))]))
    (tmp_path / "b.npy").write_bytes(b"no kernel")
    np.save(tmp_path / "c.npy", np.ones((4, 4)))
    (_, one), (_, two), (_, broken), (_, even) = survey_kernels(tmp_path)
    assert isinstance(one, np.ndarray)
    for fault in (two, broken, even):
        assert isinstance(fault, UserError)
    names = [name for name, found in survey_kernels(tmp_path, even=True) if isinstance(found, np.ndarray)]
    assert names == ["a_01", "c"]


def test_even_sides_are_read_if_asked(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.ones((4, 4)))
    [(_, kernel)] = read_kernels(tmp_path, even=True)
    np.testing.assert_array_equal(kernel, np.full((4, 4), 1 / 16))
    for shape in ((4, 6), (0, 0)):
        np.save(tmp_path / "k.npy", np.ones(shape))
        with pytest.raises(UserError, match="size is"):
            read_kernels(tmp_path, even=True)


def test_matlab_73_without_h5py_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "k.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: PCWIN64".ljust(512))
    with pytest.raises(UserError, match="needs the package h5py"):
        read_kernel(tmp_path / "k.mat")


def test_matlab_73_is_read_through_h5py(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    kernels = [rng.random((side, side)) for side in (5, 3)]
    with h5py.File(tmp_path / "set.mat", "w", userblock_size=512) as file:
        references = [file.create_dataset(f"#refs#/{i}", data=k.T).ref for i, k in enumerate(kernels)]
        cells = file.create_dataset("kernels", (2, 1), dtype=h5py.ref_dtype)
        for index, reference in enumerate(references):
            cells[index, 0] = reference
    with (tmp_path / "set.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(512))
    for (_, kernel), expected in zip(read_kernels(tmp_path / "set.mat"), kernels, strict=True):
        np.testing.assert_allclose(kernel, expected / expected.sum())


@needs_data
def test_the_twelve_published_kernels() -> None:
    found = read_kernels(STORED / "kernels_12.mat")
    assert [name for name, _ in found] == [f"kernels_12_{i:02d}" for i in range(1, 13)]
    rows = np.arange(25) - 12
    for index, (_, kernel) in enumerate(found):
        assert kernel.shape == (25, 25)
        assert kernel.sum() == pytest.approx(1, abs=1e-12)
        centre = np.array([kernel.sum(1) @ rows, kernel.sum(0) @ rows])
        # the eight Gaussians are centred, the four camera shakes are not and stay so
        assert (np.abs(centre).max() < 1e-6) == (index < 8)


@needs_data
def test_the_camera_shakes_agree_in_both_files() -> None:
    pytest.importorskip("h5py")
    shakes = [kernel for _, kernel in read_kernels(STORED / "levin09.mat")]
    assert [len(kernel) for kernel in shakes] == [19, 17, 15, 27, 13, 21, 23, 23]
    twelve = [kernel for _, kernel in read_kernels(STORED / "kernels_12.mat")]
    # two files in two formats, one of them padded: a transposition in either reader would show
    np.testing.assert_allclose(twelve[8], np.pad(shakes[7], 1), atol=1e-7)
    np.testing.assert_allclose(twelve[9], np.pad(shakes[6], 1), atol=1e-7)


@needs_data
def test_the_published_fkp_kernel() -> None:
    path = DATA / "natural" / "fkp_test" / "102061_kernel_x4.mat"
    kernel = read_kernel(path, normalise=False)
    np.testing.assert_array_equal(kernel, loadmat(path)["Kernel"])
    assert kernel.shape == (19, 19)
    assert kernel.min() < 0


def test_picture_is_scaled_to_the_maximum_and_enlarged_by_nearest() -> None:
    kernel = np.array([[0.0, 0.1, -0.1], [0.2, 0.4, 0.0], [0.0, 0.0, 0.3]])
    small = np.array([[0, 64, 0], [128, 255, 0], [0, 0, 191]], dtype=np.uint8)
    np.testing.assert_array_equal(kernel_picture(kernel, 3), small)
    np.testing.assert_array_equal(kernel_picture(kernel, 9), np.kron(small, np.ones((3, 3), np.uint8)))
    assert kernel_picture(kernel, 10).shape == (10, 10)
    assert not kernel_picture(np.zeros((3, 3)), 6).any()
    with pytest.raises(ValueError, match="cannot show"):
        kernel_picture(kernel, 2)
    with pytest.raises(ValueError, match="cannot show"):
        kernel_picture(np.full((3, 3), np.nan), 9)


def test_a_contact_sheet_shows_every_kernel_once() -> None:
    kernels = [("first", np.eye(3)), ("second", np.ones((5, 5))), ("a name that is too long", np.eye(33))]
    sheet = contact_sheet(kernels)
    cell = 99  # the least multiple of 33 above 96
    assert sheet.shape == (2 * (cell + 20) + 6, 2 * (cell + 6) + 6)
    np.testing.assert_array_equal(sheet[6 : 6 + cell, 6 : 6 + cell], kernel_picture(np.eye(3), cell))
    assert (sheet[8 : 8 + 95, cell + 14 : cell + 14 + 95] == 255).all()
