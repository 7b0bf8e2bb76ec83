"""Every format there and back: values, type, layout, key, wavelengths, place on the ground; and bad files."""

import io
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rasterio
import scipy.io
import spectral
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import xy

from sr_lab.errors import UserError
from sr_lab.scenes.hyperspectral.checks import as_dtype
from sr_lab.scenes.hyperspectral.cube import Cube
from sr_lab.scenes.hyperspectral.files import list_cubes, read_cube, write_cube
from sr_lab.scenes.hyperspectral.layout import from_cube, to_cube

WAVELENGTHS = np.linspace(400, 2500, 6)


def stored(bands: int = 6, rows: int = 7, columns: int = 9, dtype: str = "uint16") -> np.ndarray:
    """(rows, columns, bands) of distinct values."""
    values = np.arange(1, bands * rows * columns + 1).reshape(rows, columns, bands)
    return values.astype(dtype)


def as_bands(array: np.ndarray) -> np.ndarray:
    return array.transpose(2, 0, 1).astype(np.float32)


def enlarged(cube: Cube) -> np.ndarray:
    """Twice the sides, with fractions and values out of range."""
    values = cube.values.repeat(2, 1).repeat(2, 2) + 0.3
    values[:, 0, 0], values[:, 0, 1] = -1e6, 1e6
    return values


def assert_wavelengths(cube: Cube, expected: np.ndarray) -> None:
    assert cube.wavelengths is not None
    np.testing.assert_allclose(cube.wavelengths, expected)


def back(cube: Cube, path: Path) -> tuple[np.ndarray, Cube]:
    values = enlarged(cube)
    write_cube(path, values, cube)
    return values, read_cube(path)


def assert_stored(values: np.ndarray, dtype: str, again: Cube) -> None:
    if np.dtype(dtype).kind == "f":
        np.testing.assert_array_equal(again.values, values)
    else:
        limits = np.iinfo(dtype)
        np.testing.assert_array_equal(
            again.values, np.clip(np.rint(values), limits.min, limits.max).astype(np.float32)
        )


# MATLAB


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
def test_matlab_5_keeps_key_type_and_wavelengths(tmp_path: Path, dtype: str) -> None:
    beside = {"wavelength": WAVELENGTHS / 1000, "map": np.zeros((7, 9), np.uint8)}
    scipy.io.savemat(tmp_path / "a.mat", {"scene": stored(dtype=dtype), **beside})
    cube = read_cube(tmp_path / "a.mat")
    np.testing.assert_array_equal(cube.values, as_bands(stored(dtype=dtype)))
    assert (cube.source.format, cube.source.key, cube.source.dtype) == ("mat5", "scene", np.dtype(dtype))
    assert_wavelengths(cube, WAVELENGTHS)
    values, again = back(cube, tmp_path / "out" / "a.mat")
    assert_stored(values, dtype, again)
    held = scipy.io.loadmat(tmp_path / "out" / "a.mat")
    assert (held["scene"].dtype, held["scene"].shape) == (np.dtype(dtype), (14, 18, 6))
    np.testing.assert_allclose(held["wavelength"][0], WAVELENGTHS / 1000)


def spectra(path: Path, **sizes: int | np.uint8) -> None:
    """One spectrum a column, pixels down the columns of the image, as unmixing sets have it."""
    columns = stored(bands=5, rows=4, columns=6, dtype="float64").transpose(1, 0, 2).reshape(24, 5).T
    scipy.io.savemat(path, {"Y": columns, "M": np.ones((5, 3)), **sizes})


@pytest.mark.parametrize("names", [("nRow", "nCol"), ("lines", "cols")])
def test_a_spectrum_a_column_becomes_a_cube_and_goes_back(tmp_path: Path, names: tuple[str, str]) -> None:
    spectra(tmp_path / "y.mat", **dict(zip(names, (4, 6), strict=True)))
    cube = read_cube(tmp_path / "y.mat")
    np.testing.assert_array_equal(cube.values, as_bands(stored(bands=5, rows=4, columns=6)))
    values, again = back(cube, tmp_path / "out.mat")
    np.testing.assert_array_equal(again.values, values)
    held = scipy.io.loadmat(tmp_path / "out.mat")
    assert held["Y"].shape == (5, 8 * 12)
    assert [held[name].item() for name in names] == [8, 12]
    np.testing.assert_array_equal(held["Y"][:, 1], values[:, 1, 0])


def test_a_size_stored_as_a_small_integer_may_outgrow_it(tmp_path: Path) -> None:
    spectra(tmp_path / "y.mat", nRow=np.uint8(4), nCol=np.uint8(6))
    cube = read_cube(tmp_path / "y.mat")
    write_cube(tmp_path / "out.mat", cube.values.repeat(70, 1).repeat(3, 2), cube)
    assert scipy.io.loadmat(tmp_path / "out.mat")["nRow"].item() == 280
    assert read_cube(tmp_path / "out.mat").values.shape == (5, 280, 18)


def test_without_a_size_the_image_is_square(tmp_path: Path) -> None:
    columns = stored(bands=3, rows=5, columns=5, dtype="float64").transpose(1, 0, 2).reshape(25, 3).T
    scipy.io.savemat(tmp_path / "y.mat", {"Y": columns})
    np.testing.assert_array_equal(read_cube(tmp_path / "y.mat").values, as_bands(stored(3, 5, 5)))


def test_a_matrix_that_may_be_both_is_asked_about(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "y.mat", {"Y": np.ones((20, 25))})
    with pytest.raises(UserError, match=r"may be one band, or a spectrum a column.*scene.files.layout"):
        read_cube(tmp_path / "y.mat")
    assert read_cube(tmp_path / "y.mat", layout="rows_columns").values.shape == (1, 20, 25)
    assert read_cube(tmp_path / "y.mat", layout="bands_pixels").values.shape == (20, 5, 5)


def test_selected_bands(tmp_path: Path) -> None:
    kept = np.array([[1], [2], [4], [6]])
    whole = {"data": stored(), "SlectBands": kept}
    scipy.io.savemat(tmp_path / "whole.mat", whole)
    assert read_cube(tmp_path / "whole.mat").good_bands.tolist() == [0, 1, 3, 5]
    thinned = {"data": stored(bands=4), "SlectBands": kept, "wavelength": WAVELENGTHS}
    scipy.io.savemat(tmp_path / "thinned.mat", thinned)
    cube = read_cube(tmp_path / "thinned.mat")
    assert not cube.bad_bands.any()
    assert_wavelengths(cube, WAVELENGTHS[[0, 1, 3, 5]])


def test_several_cubes_or_none_are_listed(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "two.mat", {"before": stored(), "after": stored() + 1})
    with pytest.raises(UserError, match=r"both be the cube; the file holds .*before \(7, 9, 6\)"):
        read_cube(tmp_path / "two.mat")
    np.testing.assert_array_equal(read_cube(tmp_path / "two.mat", key="after").values, as_bands(stored() + 1))
    with pytest.raises(UserError, match=r"no array 'later'.*before"):
        read_cube(tmp_path / "two.mat", key="later")
    scipy.io.savemat(tmp_path / "none.mat", {"note": "text", "n": 3})
    with pytest.raises(UserError, match=r"no array is a cube; the file holds n \(1, 1\)"):
        read_cube(tmp_path / "none.mat")


def mat73(path: Path, **arrays: np.ndarray) -> None:
    """As MATLAB writes -v7.3: a header of 512 bytes, and every array with its axes reversed."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=512) as file:
        for name, value in arrays.items():
            item = file.create_dataset(name, data=value.T)
            item.attrs["MATLAB_class"] = np.bytes_(
                {"float64": "double"}.get(value.dtype.name, value.dtype.name)
            )
        note = file.create_dataset("note", data=np.frombuffer(b"a text", np.uint8).astype(np.uint16)[:, None])
        note.attrs["MATLAB_class"] = np.bytes_("char")
    path.write_bytes((b"MATLAB 7.3 MAT-file" + b" " * 97).ljust(512, b"\0") + buffer.getvalue()[512:])


def test_matlab_7_3(tmp_path: Path) -> None:
    mat73(tmp_path / "a.mat", cube=stored(), wavelengths=WAVELENGTHS[None])
    cube = read_cube(tmp_path / "a.mat")
    np.testing.assert_array_equal(cube.values, as_bands(stored()))
    assert_wavelengths(cube, WAVELENGTHS)
    values, again = back(cube, tmp_path / "out.mat")
    assert_stored(values, "uint16", again)
    assert again.source.format == "mat73"
    with h5py.File(tmp_path / "out.mat") as file:
        assert file["cube"].shape == (6, 18, 14)  # pyright: ignore[reportAttributeAccessIssue]
        assert file["cube"].attrs["MATLAB_class"] == b"uint16"
        assert file["wavelengths"].shape == (6, 1)  # pyright: ignore[reportAttributeAccessIssue]
    head = (tmp_path / "out.mat").read_bytes()[:128]
    assert head.startswith(b"MATLAB 7.3 MAT-file")
    assert head[124:] == b"\x00\x02IM"


# .npy and HDF5


def test_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", stored(dtype="int16"))
    values, again = back(read_cube(tmp_path / "a.npy"), tmp_path / "out.npy")
    assert_stored(values, "int16", again)
    held = np.load(tmp_path / "out.npy")
    assert (held.dtype, held.shape) == (np.int16, (14, 18, 6))
    np.save(tmp_path / "first.npy", as_bands(stored()))
    cube = read_cube(tmp_path / "first.npy", layout="bands_rows_columns")
    np.testing.assert_array_equal(cube.values, as_bands(stored()))


def test_hdf5_keeps_its_groups(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        item = file.create_dataset("scene/radiance", data=as_bands(stored()), compression="gzip")
        item.attrs["units"] = "W/m2"
        file.create_dataset("scene/wavelength", data=WAVELENGTHS)
        file.create_dataset("mask", data=np.ones((7, 9), bool))
    cube = read_cube(tmp_path / "a.h5")
    np.testing.assert_array_equal(cube.values, as_bands(stored()))
    assert (cube.source.layout, cube.units) == ("bands_rows_columns", "W/m2")
    values, again = back(cube, tmp_path / "out.h5")
    np.testing.assert_array_equal(again.values, values)
    assert_wavelengths(again, WAVELENGTHS)
    with h5py.File(tmp_path / "out.h5") as file:
        item = file["scene/radiance"]
        assert (item.shape, item.compression, item.attrs["units"]) == ((6, 14, 18), "gzip", "W/m2")  # pyright: ignore[reportAttributeAccessIssue]


def test_hdf5_complex_numbers_and_choices(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["phase"] = stored(dtype="complex64")
        file["small"] = np.ones((2, 2, 2))
    with pytest.raises(UserError, match="complex"):
        read_cube(tmp_path / "a.h5")
    assert read_cube(tmp_path / "a.h5", key="small").values.shape == (2, 2, 2)


# ENVI

META = {
    "wavelength": [str(w / 1000) for w in WAVELENGTHS],
    "wavelength units": "Micrometers",
    "reflectance scale factor": 10000,
    "bbl": [1, 1, 0, 1, 1, 1],
    "description": "a scene",
    "map info": [
        "UTM",
        "1.5",
        "2.5",
        "500000",
        "4000000",
        "30",
        "20",
        "11",
        "North",
        "WGS-84",
        "units=Meters",
    ],
}


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize(("dtype", "byteorder"), [("int16", 0), ("uint16", 1), ("float32", 0)])
def test_envi(tmp_path: Path, interleave: str, dtype: str, byteorder: int) -> None:
    spectral.envi.save_image(
        str(tmp_path / "a.hdr"),
        stored(dtype=dtype),
        interleave=interleave,
        byteorder=byteorder,
        metadata=META,
        ext=".dat",
    )
    cube = read_cube(tmp_path / "a.hdr")
    np.testing.assert_array_equal(cube.values, as_bands(stored()))
    assert_wavelengths(cube, WAVELENGTHS)
    assert (cube.scale, cube.good_bands.tolist()) == (10000, [0, 1, 3, 4, 5])
    assert cube.georeference is not None
    assert cube.georeference.transform == (30, 0, 499985, 0, -20, 4000030)
    assert read_cube(tmp_path / "a.dat").values.shape == cube.values.shape
    values, again = back(cube, tmp_path / "out" / "b.hdr")
    assert_stored(values, dtype, again)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["b.dat", "b.hdr"]
    assert again.georeference is not None
    assert again.georeference.transform == (15, 0, 499985, 0, -10, 4000030), "the corner stays"
    assert again.source.extra["header"]["map info"][7:] == META["map info"][7:]
    image: Any = spectral.envi.open(str(tmp_path / "out" / "b.hdr"))
    assert image.metadata["interleave"] == interleave
    assert image.metadata["description"] == "a scene"
    np.testing.assert_array_equal(np.asarray(image.open_memmap(interleave="bip"))[2:, 2:], np.asarray(
        as_dtype(values, np.dtype(dtype))).transpose(1, 2, 0)[2:, 2:])  # fmt: skip


def test_envi_names_the_missing_half(tmp_path: Path) -> None:
    spectral.envi.save_image(str(tmp_path / "a.hdr"), stored(), ext=".img")
    raw = (tmp_path / "a.img").read_bytes()
    (tmp_path / "a.img").write_bytes(raw[:-2])
    with pytest.raises(UserError, match="6 bands of 7 x 9, 756 bytes; the file has 754"):
        read_cube(tmp_path / "a.hdr")
    (tmp_path / "a.img").unlink()
    with pytest.raises(UserError, match=r"the other one is missing"):
        read_cube(tmp_path / "a.hdr")
    (tmp_path / "b.hdr").write_text("no header")
    (tmp_path / "b.img").write_bytes(raw)
    with pytest.raises(UserError, match="no ENVI header"):
        read_cube(tmp_path / "b.hdr")


# GeoTIFF


def geotiff(path: Path, **options: Any) -> None:
    profile = {
        "driver": "GTiff", "count": 6, "height": 7, "width": 9, "dtype": "uint16",
        "crs": "EPSG:32611", "transform": rasterio.Affine(30, 0, 500000, 0, -30, 4000000), "compress": "deflate",
        **options,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "w", **profile) as file:
            file.write(as_bands(stored()).astype(profile["dtype"]))
            file.update_tags(mission="x")
            for band, wavelength in enumerate(WAVELENGTHS, start=1):
                file.set_band_description(band, f"band {band}")
                file.update_tags(band, wavelength=str(wavelength), wavelength_units="nm")


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32"])
def test_geotiff_keeps_its_place(tmp_path: Path, dtype: str) -> None:
    geotiff(tmp_path / "a.tif", dtype=dtype)
    cube = read_cube(tmp_path / "a.tif")
    assert_wavelengths(cube, WAVELENGTHS)
    values, again = back(cube, tmp_path / "out.tif")
    assert_stored(values, dtype, again)
    with rasterio.open(tmp_path / "a.tif") as before, rasterio.open(tmp_path / "out.tif") as after:
        assert after.crs == before.crs
        assert after.bounds == before.bounds, "the same ground, so the same top left corner"
        assert after.res == (15, 15)
        assert after.dtypes[0] == dtype
        assert after.descriptions == before.descriptions
        assert after.tags()["mission"] == "x"
        assert after.profile["compress"] == "deflate"


def test_a_turned_geotiff_keeps_its_corners(tmp_path: Path) -> None:
    turned = rasterio.Affine(20, 5, 1000, 7, -25, 9000)
    geotiff(tmp_path / "a.tif", transform=turned)
    back(read_cube(tmp_path / "a.tif"), tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as after:
        for row, column in ((0, 0), (7, 0), (0, 9), (7, 9)):
            found = xy(after.transform, 2 * row, 2 * column, offset="ul")
            assert found == pytest.approx(xy(turned, row, column, offset="ul"))


@pytest.mark.filterwarnings("error")
def test_a_tiff_without_a_place_and_with_no_data(tmp_path: Path) -> None:
    geotiff(tmp_path / "a.tif", crs=None, transform=None, nodata=0)
    cube = read_cube(tmp_path / "a.tif")
    assert cube.georeference is None
    values = enlarged(cube)
    values[2] = np.nan
    write_cube(tmp_path / "out.tif", values, cube)
    again = read_cube(tmp_path / "out.tif")
    assert again.bad_bands.tolist() == [False, False, True, False, False, False]
    geotiff(tmp_path / "b.tif", nodata=17)
    with pytest.raises(UserError, match=r"1 values are missing.*band 4 at row 0, column 2"):
        read_cube(tmp_path / "b.tif")


# Values


@pytest.mark.parametrize("bands", [1, 2, 500])
def test_any_number_of_bands(tmp_path: Path, bands: int) -> None:
    np.save(tmp_path / "a.npy", stored(bands, 3, 4, "float32"))
    values, again = back(read_cube(tmp_path / "a.npy"), tmp_path / "out.npy")
    np.testing.assert_array_equal(again.values, values)
    scipy.io.savemat(tmp_path / "a.mat", {"a": stored(bands, 3, 4, "float32")})
    assert read_cube(tmp_path / "a.mat").values.shape == (bands, 3, 4)


def test_whole_bands_may_be_bad_single_values_not(tmp_path: Path) -> None:
    array = stored(dtype="float32")
    array[..., 1], array[..., 3], array[..., 4] = np.nan, 0, np.inf
    np.save(tmp_path / "a.npy", array)
    cube = read_cube(tmp_path / "a.npy")
    assert cube.bad_bands.tolist() == [False, True, False, True, True, False]
    array[2, 5, 0] = array[3, 1, 2] = np.nan
    np.save(tmp_path / "b.npy", array)
    with pytest.raises(UserError, match=r"2 values are missing.*band 0 at row 2, column 5.*fill them"):
        read_cube(tmp_path / "b.npy")
    np.save(tmp_path / "c.npy", np.zeros((4, 4, 3)))
    with pytest.raises(UserError, match="no band is usable"):
        read_cube(tmp_path / "c.npy")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.npy", np.ones((3, 3, 2), complex), "complex"),
        ("a.npy", np.empty((0, 3, 2)), "empty"),
        ("a.npy", np.ones(5), "1 axes is no cube"),
        ("a.npy", np.full((3, 3, 2), "x"), "<U1, not numbers"),
        ("a.npy", np.array([{"a": 1}]), "allow_pickle"),
        ("a.npy", b"", "empty"),
        ("a.npy", b"just a text", "not a cube of a supported format"),
        ("a.mat", b"just a text\n" * 40, "damaged"),
        ("a.mat", b"MATLAB 7.3 MAT-file".ljust(600), "damaged"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "damaged"),
        ("a.tif", b"II*\0\0\0", "damaged"),
        ("a.hdr", b"ENVI\nbands = x", "missing"),
    ],
)
def test_a_bad_file_is_one_clear_fault(tmp_path: Path, name: str, content: Any, said: str) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(UserError, match=said) as caught:
        read_cube(path)
    assert caught.value.where == str(path)
    assert caught.value.fix


def test_a_header_without_sense_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.hdr").write_text("ENVI\nbands = x\nlines = 3\nsamples = 3\n")
    (tmp_path / "a.img").write_bytes(bytes(100))
    with pytest.raises(UserError, match="damaged"):
        read_cube(tmp_path / "a.hdr")


def test_a_folder_is_listed(tmp_path: Path) -> None:
    for name in ("b.mat", "a/c.NPY", ".hidden/d.mat", "e.txt", "f.hdr", "f.img"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [p.relative_to(tmp_path).as_posix() for p in list_cubes([tmp_path])] == [
        "a/c.NPY",
        "b.mat",
        "f.hdr",
    ]
    with pytest.raises(UserError, match="holds no cube"):
        list_cubes([tmp_path / ".hidden"] if not (tmp_path / ".hidden" / "d.mat").unlink() else [])
    with pytest.raises(UserError, match="no such"):
        list_cubes([tmp_path / "gone"])


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", stored())
    cube = read_cube(tmp_path / "a.npy")
    before = (tmp_path / "a.npy").read_bytes()
    with pytest.raises(ValueError, match="5 bands"):
        write_cube(tmp_path / "a.npy", cube.values[:5], cube)
    assert (tmp_path / "a.npy").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.npy"]


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_a_layout_and_back_is_the_same(bands: int, rows: int, columns: int, kind: int) -> None:
    layouts = ("rows_columns_bands", "bands_rows_columns", "bands_pixels", "rows_columns")
    layout = layouts[kind]
    values = np.random.default_rng(0).random((1 if layout == "rows_columns" else bands, rows, columns))
    array = from_cube(values, layout)
    np.testing.assert_array_equal(to_cube(array, layout, (rows, columns), Path()), values)
    if layout == "bands_pixels":
        np.testing.assert_array_equal(array[0], values[0].ravel(order="F"))


def test_integers_are_rounded_and_clipped() -> None:
    values = np.array([-5.0, 0.4, 1.6, 300.0, 1e30, -1e30, np.nan])
    assert as_dtype(values, np.dtype("uint8")).tolist() == [0, 0, 2, 255, 255, 0, 0]
    assert as_dtype(values, np.dtype("int16"), -9999.0).tolist() == [-5, 0, 2, 300, 32767, -32768, -9999]
    wide = as_dtype(values, np.dtype("uint64"))
    assert as_dtype(np.array([0.2, 254.9]), np.dtype("uint8"), 0.0).tolist() == [1, 255]
    assert as_dtype(np.array([0.2, 254.9]), np.dtype("uint8"), 255.0).tolist() == [0, 254]
    assert wide[4] > 2**63
    assert wide[5] == 0
    assert as_dtype(values.astype(np.float32), np.dtype("float64"))[3] == 300


# The files that the experiments use


def test_the_published_files_are_read(data: Path) -> None:
    folder = data / "hyperspectral" / "test"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    samson, jasper = read_cube(folder / "Samson.mat"), read_cube(folder / "jasperRidge2_R198.mat")
    assert (samson.values.shape, samson.source.key) == ((156, 95, 95), "Y")
    assert (jasper.values.shape, jasper.source.key) == ((198, 100, 100), "Y")
    assert jasper.source.dtype == np.float64, "MATLAB's type, though the file packs whole numbers as uint16"
    assert read_cube(folder / "abu-beach-2.mat").values.shape == (193, 100, 100)
    assert read_cube(folder / "Indian_pines_corrected.npy").values.shape == (200, 145, 145)
    for cube in (
        samson,
        jasper,
    ):  # neighbours on the ground resemble each other only where the order is right
        down, across = (np.abs(np.diff(cube.values, axis=axis)).mean() for axis in (1, 2))
        assert max(down, across) < 0.5 * np.abs(cube.values - np.median(cube.values)).mean()
