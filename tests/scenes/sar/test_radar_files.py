"""Radar images on disk, there and back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint

from sr_lab.errors import UserError
from sr_lab.scenes.sar.files import list_radar, read_radar, write_radar
from sr_lab.scenes.sar.kind import Kind

PLACE = rasterio.Affine(10, 0, 600000, 0, -10, 5000000)


def slc(rows: int = 12, columns: int = 10, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (100 * (rng.normal(size=(rows, columns)) + 1j * rng.normal(size=(rows, columns)))).astype(
        np.complex64
    )


def tiff(path: Path, values: np.ndarray, dtype: str, **more: Any) -> Path:
    """(bands, rows, columns)."""
    profile = {"driver": "GTiff", "count": len(values), "height": values.shape[1], "width": values.shape[2]}
    with rasterio.open(path, "w", dtype=dtype, **profile, **more) as file:
        file.write(values)
    return path


def doubled(values: np.ndarray) -> np.ndarray:
    return values.repeat(2, -2).repeat(2, -1)


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "float32", "uint16"])
def test_npy_comes_back_in_its_type(tmp_path: Path, dtype: str) -> None:
    values = slc() if dtype.startswith("complex") else np.abs(slc())
    np.save(tmp_path / "a.npy", values.astype(dtype))
    image = read_radar(tmp_path / "a.npy")
    assert image.kind == ("slc" if dtype.startswith("complex") else "amplitude")
    write_radar(tmp_path / "b.npy", doubled(image.values), image)
    back = np.load(tmp_path / "b.npy")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, doubled(np.load(tmp_path / "a.npy")))


def test_integers_are_rounded_and_clipped(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((3, 3), 7, np.uint16))
    image = read_radar(tmp_path / "a.npy")
    write_radar(tmp_path / "b.npy", np.array([[-3.0, 1.6, 1e6]]), image)
    assert np.load(tmp_path / "b.npy").tolist() == [[0, 2, 65535]]


def test_one_of_several_polarisations(tmp_path: Path) -> None:
    both = np.abs(np.stack([slc(seed=1), slc(seed=2)])).astype(np.uint16)
    np.save(tmp_path / "a.npy", both)
    tiff(tmp_path / "a.tif", both, "uint16", transform=PLACE)
    for name in ("a.npy", "a.tif"):
        np.testing.assert_array_equal(read_radar(tmp_path / name, band=1).values, both[1])
        with pytest.raises(UserError, match=r"2 bands.*scene\.files\.band=0"):
            read_radar(tmp_path / name)
        with pytest.raises(UserError, match=r"no band 2.*bands 0 to 1"):
            read_radar(tmp_path / name, band=2)


@pytest.mark.parametrize("dtype", ["complex64", "complex_int16"])
def test_a_measurement_tiff_keeps_its_control_points(tmp_path: Path, dtype: str) -> None:
    values = np.round(slc())
    points = [
        GroundControlPoint(row=0, col=0, x=5.0, y=50.0, z=3.0),
        GroundControlPoint(row=6, col=4, x=6, y=51, z=0),
    ]
    tiff(tmp_path / "a.tif", values[None], dtype, gcps=points, crs="EPSG:4326")
    image = read_radar(tmp_path / "a.tif")
    assert image.kind == "slc"
    np.testing.assert_array_equal(image.values, values)
    write_radar(tmp_path / "b.tif", doubled(image.values) + np.complex64(0.4 - 0.4j), image)
    with rasterio.open(tmp_path / "b.tif") as file:
        assert file.dtypes == (dtype,)
        moved, crs = file.gcps
        assert [(point.row, point.col, point.x) for point in moved] == [(0, 0, 5), (12, 8, 6)]
        assert crs.to_epsg() == 4326
        np.testing.assert_allclose(file.read(1), doubled(values), atol=0.6 if dtype == "complex64" else 0)


def test_a_grid_on_the_ground_keeps_its_corner(tmp_path: Path) -> None:
    decibels = (20 * np.log10(np.abs(slc()) + 1)).astype(np.float32)
    decibels -= 60
    tiff(tmp_path / "a.tif", decibels[None], "float32", transform=PLACE, crs="EPSG:32633", nodata=np.nan)
    image = read_radar(tmp_path / "a.tif", kind="log")
    write_radar(tmp_path / "b.tif", doubled(image.values), image)
    with rasterio.open(tmp_path / "b.tif") as file:
        assert file.transform == rasterio.Affine(5, 0, 600000, 0, -5, 5000000)
        assert file.crs.to_epsg() == 32633
        assert np.isnan(file.nodata)
        np.testing.assert_array_equal(file.read(1), doubled(decibels))


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        (np.ones((4, 4), np.float32), "slc", "the image is real, and was called 'slc'"),
        (slc(), "amplitude", "the image is complex, and was called 'amplitude'"),
        (np.zeros((4, 4), np.complex64), None, "zero everywhere"),
        (np.real(slc()), None, "are below 0: this is no amplitude"),
        (
            np.where(np.eye(4) > 0, np.nan, 1),
            None,
            r"4 values are NaN or infinite, the first at row 0, column 0",
        ),
        (np.full((4, 4), np.inf + 0j, np.complex64), None, "NaN or infinite"),
        (np.ones((2, 2, 2, 2)), None, "is no image"),
        (np.ones((0, 4)), None, "is no image"),
        (np.full((3, 3), "a"), None, "not numbers"),
    ],
)
def test_what_is_no_radar_image_is_said_in_one_line(
    tmp_path: Path, values: np.ndarray, kind: Kind | None, said: str
) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(UserError, match=said) as caught:
        read_radar(tmp_path / "a.npy", kind=kind)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "a.npy") in str(caught.value)


def test_damage_and_other_formats_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", slc())
    (tmp_path / "cut.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-50])
    (tmp_path / "cut.tif").write_bytes(b"II*\0" + b"\0" * 40)
    (tmp_path / "b.txt").write_text("no image")
    for name, said in (
        ("cut.npy", "damaged"),
        ("cut.tif", "damaged"),
        ("b.txt", "not a radar image"),
        ("c", "no such"),
    ):
        with pytest.raises(UserError, match=said):
            read_radar(tmp_path / name)
    assert [path.name for path in list_radar([tmp_path])] == ["a.npy", "cut.npy", "cut.tif"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no radar image"):
        list_radar([tmp_path / "empty"])


def test_ship_patches_and_pairs_are_read(data: Path) -> None:
    patches = sorted((data / "sar/detected/sentinel1_grd").glob("*.npy"))
    assert {read_radar(path, band=0).kind for path in patches[:3]} == {"amplitude"}
    pair = sorted((data / "sar/test/sentinel1_pair").glob("*.npy"))
    assert {read_radar(path).kind for path in pair} == {"slc"}
    tile = read_radar(data / "sar/test/Spain_7370579_S1Hand.tif", kind="log", band=1)
    assert tile.values.min() < -30


SICD = """<SICD xmlns="urn:SICD:1.4.0">
<CollectionInfo><CollectorName>a</CollectorName><CoreName>b</CoreName><Classification>U</Classification></CollectionInfo>
<ImageData><PixelType>{pixel}</PixelType><NumRows>10</NumRows><NumCols>12</NumCols><FirstRow>0</FirstRow>
<FirstCol>0</FirstCol><FullImage><NumRows>10</NumRows><NumCols>12</NumCols></FullImage>
<SCPPixel><Row>4</Row><Col>6</Col></SCPPixel></ImageData>
<GeoData><EarthModel>WGS_84</EarthModel><SCP><ECF><X>6378137</X><Y>0</Y><Z>0</Z></ECF>
<LLH><Lat>0</Lat><Lon>0</Lon><HAE>0</HAE></LLH></SCP><ImageCorners>
<ICP index="1:FRFC"><Lat>1</Lat><Lon>1</Lon></ICP><ICP index="2:FRLC"><Lat>1</Lat><Lon>2</Lon></ICP>
<ICP index="3:LRLC"><Lat>2</Lat><Lon>2</Lon></ICP><ICP index="4:LRFC"><Lat>2</Lat><Lon>1</Lon></ICP>
</ImageCorners></GeoData>
<Grid><Row><UVectECF><X>0</X><Y>1</Y><Z>0</Z></UVectECF><SS>1.5</SS></Row>
<Col><UVectECF><X>0</X><Y>0</Y><Z>1</Z></UVectECF><SS>2.0</SS></Col></Grid>
<SCPCOA><ARPPos><X>7000000</X><Y>-600000</Y><Z>0</Z></ARPPos><ARPVel><X>0</X><Y>0</Y><Z>7500</Z></ARPVel>
<SideOfTrack>R</SideOfTrack></SCPCOA>
<Timeline><CollectStart>2026-01-02T03:04:05.000000Z</CollectStart></Timeline>
</SICD>"""


@pytest.mark.filterwarnings("ignore:.*_text is deprecated:DeprecationWarning")  # inside sarkit
@pytest.mark.filterwarnings("ignore:<string>:UserWarning")  # this metadata has only what counts pixels
@pytest.mark.parametrize("pixel", ["RE32F_IM32F", "RE16I_IM16I"])
def test_sicd_is_turned_and_refined(tmp_path: Path, pixel: str) -> None:
    sicd = pytest.importorskip("sarkit.sicd")
    etree = pytest.importorskip("lxml.etree")
    values = np.round(slc())
    stored = np.ascontiguousarray(values.T)
    if pixel == "RE16I_IM16I":
        parts = np.empty(stored.shape, [("real", ">i2"), ("imag", ">i2")])
        parts["real"], parts["imag"] = stored.real, stored.imag
        stored = parts
    else:
        stored = stored.astype(">c8")
    secure = {"security": {"clas": "U"}}
    metadata = sicd.NitfMetadata(
        xmltree=etree.ElementTree(etree.fromstring(SICD.format(pixel=pixel))),
        file_header_part={"ostaid": "a", **secure},
        im_subheader_part={"isorce": "b", **secure},
        de_subheader_part=secure,
    )
    with (tmp_path / "a.ntf").open("wb") as file, sicd.NitfWriter(file, metadata) as writer:
        writer.write_image(stored)
    image = read_radar(tmp_path / "a.ntf")
    assert (image.kind, image.values.shape) == ("slc", (12, 10)), "range along the columns"
    assert image.spacing == (2.0, 1.5)
    np.testing.assert_array_equal(image.values, values)
    write_radar(tmp_path / "b.ntf", doubled(image.values), image)
    np.testing.assert_array_equal(read_radar(tmp_path / "b.ntf").values, doubled(values))
    with (tmp_path / "b.ntf").open("rb") as file, sicd.NitfReader(file) as reader:
        tree = reader.metadata.xmltree
    places = ("NumRows", "FullImage/{*}NumCols", "SCPPixel/{*}Row", "PixelType")
    found = [tree.findtext(f"{{*}}ImageData/{{*}}{place}") for place in places]
    found += [tree.findtext(f"{{*}}Grid/{{*}}{axis}/{{*}}SS") for axis in ("Row", "Col")]
    assert found == ["20", "24", "8", "RE32F_IM32F", "0.75", "1.0"]


def test_sicd_without_sarkit_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sarkit.sicd", None)
    (tmp_path / "a.ntf").write_bytes(b"NITF02.10")
    with pytest.raises(UserError, match=r"pip install 'sr-lab\[sar\]'"):
        read_radar(tmp_path / "a.ntf")
