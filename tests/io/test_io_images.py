from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageCms, ImageOps

from sr_lab.errors import UserError
from sr_lab.io.images import MAX_PIXELS, Picture, list_images, read_image, write_image

rng = np.random.default_rng(0)
GREY = rng.integers(0, 256, (11, 17), dtype=np.uint8)
RGB = rng.integers(0, 256, (11, 17, 3), dtype=np.uint8)
RGBA16 = rng.integers(0, 65536, (11, 17, 4), dtype=np.uint16)
RGB_FLOAT = (RGB / 255).astype(np.float32)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def levels(picture: Picture) -> np.ndarray:
    """The integers of the file, alpha last, found again from the floats."""
    planes = picture.pixels
    if picture.alpha is not None:
        planes = np.dstack([planes, picture.alpha])
    scaled = planes.astype(np.float64) * (2**picture.bits - 1)
    assert np.abs(scaled - np.rint(scaled)).max() < 0.01
    return np.rint(scaled).astype(int)


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_bytes(
    width: int, height: int, depth: int, colour: int, rows: bytes, *extra: tuple[bytes, bytes]
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def plain_png16(values: np.ndarray, *extra: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG by the letter of the standard: big-endian samples, every row with filter 0."""
    height, width, samples = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png_bytes(width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[samples], rows, *extra)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_round_trip_is_exact(folder: Path, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from([".png", ".tif", ".bmp", ".webp"]))
    bits: Literal[8, 16] = data.draw(st.sampled_from([8, 16] if suffix in (".png", ".tif") else [8]))
    channels = data.draw(st.sampled_from([1, 3]))
    with_alpha = suffix != ".bmp" and data.draw(st.booleans())
    sides = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    dtype = np.uint8 if bits == 8 else np.uint16
    values = data.draw(arrays(dtype, (*sides, channels + with_alpha)))
    floats = values.astype(np.float32) / np.float32(2**bits - 1)

    path = folder / f"round{suffix}"
    write_image(path, floats[..., :channels], bits=bits, alpha=floats[..., channels] if with_alpha else None)
    picture = read_image(path)

    if suffix == ".webp" and channels == 1:
        values = np.dstack([values[..., :1]] * 3 + ([values[..., 1:]] if with_alpha else []))
    assert picture.pixels.shape == (*sides, 3 if suffix == ".webp" else channels)
    assert picture.pixels.dtype == np.float32
    assert picture.bits == bits
    if with_alpha and picture.alpha is None:  # WebP drops an alpha that is opaque throughout
        assert suffix == ".webp"
        assert (values[..., -1] == 255).all()
        values = values[..., :-1]
    np.testing.assert_array_equal(levels(picture), values)


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_16_bit_png_keeps_every_bit(tmp_path: Path, samples: int) -> None:
    values = RGBA16[..., :samples]
    (tmp_path / "a.png").write_bytes(plain_png16(values))
    picture = read_image(tmp_path / "a.png")
    assert (picture.bits, picture.format) == (16, "PNG")
    np.testing.assert_array_equal(levels(picture), values)


def test_written_files_are_what_other_readers_expect(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", RGB_FLOAT)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), RGB)
    write_image(tmp_path / "g.png", GREY[..., None] / 255)
    with Image.open(tmp_path / "g.png") as image:
        assert image.mode == "L"
    floats = RGBA16 / 65535
    write_image(tmp_path / "a.png", floats[..., :3], bits=16, alpha=floats[..., 3])
    assert (tmp_path / "a.png").read_bytes()[24:26] == b"\x10\x06"  # 16 bits, RGB with alpha
    write_image(tmp_path / "a.tif", floats[..., :3], bits=16, alpha=floats[..., 3])
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        page = tiff.pages.first
        assert (page.compression, page.predictor, page.extrasamples) == (8, 2, (2,))
        np.testing.assert_array_equal(page.asarray(), RGBA16)
    with Image.open(tmp_path / "a.tif") as image:
        assert image.mode == "RGBA"


def test_values_are_clipped_and_rounded_to_the_nearest_level(tmp_path: Path) -> None:
    given = np.array([-3.0, -0.001, 0.49 / 255, 0.51 / 255, 99.6 / 255, 1.0, 1.5, np.inf])
    write_image(tmp_path / "a.png", given[None, :, None])
    assert levels(read_image(tmp_path / "a.png")).ravel().tolist() == [0, 0, 0, 1, 100, 255, 255, 255]


def test_jpeg_is_close_and_quality_counts(tmp_path: Path) -> None:
    y, x = np.mgrid[:64, :64] / 63
    smooth = np.dstack([x, y, (x + y) / 2]).astype(np.float32)
    for quality in (20, 95):
        write_image(tmp_path / f"{quality}.jpg", smooth, quality=quality)
    picture = read_image(tmp_path / "95.jpg")
    assert (picture.format, picture.bits, picture.alpha) == ("JPEG", 8, None)
    assert np.abs(picture.pixels - smooth).max() < 4 / 255
    assert (tmp_path / "20.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size
    write_image(tmp_path / "grey.jpg", smooth[..., :1])
    assert read_image(tmp_path / "grey.jpg").pixels.shape == (64, 64, 1)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".bmp"])
def test_the_colour_profile_survives(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_image(path, RGB_FLOAT, icc=SRGB)
    picture = read_image(path)
    assert picture.icc == (None if suffix == ".bmp" else SRGB)
    if suffix in (".png", ".tif"):
        write_image(path, picture.pixels, bits=16, icc=picture.icc)
        assert read_image(path).icc == SRGB
        with Image.open(path) as image:
            assert image.info["icc_profile"] == SRGB
    write_image(path, picture.pixels)
    assert read_image(path).icc is None


def test_format_overrides_the_suffix_and_content_decides_on_reading(tmp_path: Path) -> None:
    write_image(tmp_path / "a.JPG", RGB_FLOAT, format="PNG")
    picture = read_image(tmp_path / "a.JPG")
    assert (picture.format, picture.suffix, picture.path) == ("PNG", ".JPG", tmp_path / "a.JPG")
    np.testing.assert_array_equal(levels(picture), RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(levels(read_image(tmp_path / "a.jpg")), expected)

    upright = np.asarray(ImageOps.exif_transpose(with_orientation(RGB, exif)))
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(levels(read_image(tmp_path / "a.png")), upright)
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    np.testing.assert_array_equal(levels(read_image(tmp_path / "a.tif")), upright)
    wide = RGB.astype(np.uint16) * 257
    (tmp_path / "b.png").write_bytes(plain_png16(wide, (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))))
    picture = read_image(tmp_path / "b.png")
    np.testing.assert_array_equal(levels(picture), upright.astype(int) * 257)
    assert picture.pixels.flags.c_contiguous


def with_orientation(values: np.ndarray, exif: Image.Exif) -> Image.Image:
    image = Image.fromarray(values)
    image.getexif()[274] = exif[274]
    return image


def test_palettes_and_single_bits_become_colour_and_grey(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    palette = Image.fromarray(RGB).quantize(7)
    palette.save(path)
    picture = read_image(path)
    assert (picture.bits, picture.alpha) == (8, None)
    np.testing.assert_array_equal(levels(picture), np.asarray(palette.convert("RGB")))

    palette.save(path, transparency=bytes([0, 128]))
    alpha = np.full((11, 17), 255)
    alpha[np.asarray(palette) == 0] = 0
    alpha[np.asarray(palette) == 1] = 128
    np.testing.assert_array_equal(levels(read_image(path))[..., 3], alpha)

    Image.fromarray(GREY > 99).save(path)
    np.testing.assert_array_equal(levels(read_image(path))[..., 0], (GREY > 99) * 255)
    Image.fromarray(GREY).save(path, transparency=int(GREY[3, 4]))
    opaque = np.not_equal(GREY, GREY[3, 4])
    np.testing.assert_array_equal(levels(read_image(path)), np.dstack([GREY, opaque * 255]))


def test_cmyk_jpeg_becomes_rgb_without_its_profile(tmp_path: Path) -> None:
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    image.save(tmp_path / "a.jpg", quality=100, icc_profile=SRGB)
    picture = read_image(tmp_path / "a.jpg")
    assert np.abs(picture.pixels - np.array([0, 1, 1])).max() < 3 / 255
    assert picture.icc is None


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "lzw"},
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "predictor": True},
        {"compression": "zlib", "byteorder": ">"},
        {"bigtiff": True, "tile": (16, 16)},
        {"bigtiff": True, "byteorder": ">"},
        {"planarconfig": "separate"},
    ],
)
def test_tiff_variants(tmp_path: Path, options: dict[str, Any]) -> None:
    values = RGBA16[..., :3]
    stored = np.moveaxis(values, 2, 0) if "planarconfig" in options else values
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", **options)
    picture = read_image(tmp_path / "a.tif")
    assert (picture.bits, picture.format) == (16, "TIFF")
    np.testing.assert_array_equal(levels(picture), values)


def test_tiff_white_is_zero_is_inverted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="miniswhite")
    np.testing.assert_array_equal(levels(read_image(tmp_path / "a.tif"))[..., 0], 255 - GREY.astype(int))


def test_tiff_alpha_that_is_multiplied_in_is_taken_out(tmp_path: Path) -> None:
    stored = np.array([[[60, 30, 0, 120], [0, 0, 0, 0], [10, 20, 30, 255], [9, 6, 3, 6]]], dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=["assocalpha"])
    picture = read_image(tmp_path / "a.tif")
    expected = np.array([[[0.5, 0.25, 0], [0, 0, 0], [10 / 255, 20 / 255, 30 / 255], [1, 1, 0.5]]])
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-6)
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, stored[..., 3] / 255, atol=1e-6)


def test_tiff_preview_beside_the_picture_is_no_second_page(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(RGB, photometric="rgb")
        tiff.write(RGB[::2, ::2], photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(levels(read_image(tmp_path / "a.tif")), RGB)


def test_tiff_holding_jpeg(tmp_path: Path) -> None:
    y, x = np.mgrid[:32, :32] * 4
    smooth = np.dstack([x, y, (x + y) // 2]).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", smooth, photometric="rgb", compression="jpeg")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages.first.photometric == tifffile.PHOTOMETRIC.YCBCR
    assert np.abs(levels(read_image(tmp_path / "a.tif")) - smooth).max() < 12


def stack_of_pages(path: Path) -> None:
    tifffile.imwrite(path, np.stack([GREY, GREY]), photometric="minisblack")


def tiff_of(values: np.ndarray, **options: Any) -> Callable[[Path], Any]:
    return lambda path: tifffile.imwrite(path, values, **options)


def bytes_of(content: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content)


def animated_webp(path: Path) -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)


def bomb_tiff(path: Path) -> None:
    # a header of 100000 x 100000 pixels over one strip of 4 bytes
    tags = [(256, 4, 1, 100_000), (257, 4, 1, 100_000), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8)]
    tags += [(277, 3, 1, 1), (278, 4, 1, 100_000), (279, 4, 1, 4)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    path.write_bytes(
        b"II*\0" + struct.pack("<I", 12) + b"\0\0\0\0" + struct.pack("<H", 8) + entries + b"\0" * 4
    )


def bomb_bmp(path: Path) -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 30_000, 30_000, 1, 24, 0, 0, 0, 0, 0, 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.png", lambda path: None, "no such file"),
        ("a.png", lambda path: path.mkdir(), "a folder, not a file"),
        ("a" * 300 + ".png", lambda path: None, "cannot be opened"),
        ("a.png", bytes_of(b""), "is empty"),
        ("a.txt", bytes_of(b"some text"), "not an image of a supported format"),
        ("a.png", bytes_of(b"some text"), "not an image of a supported format"),
        ("a.gif", bytes_of(b"GIF89a" + b"\0" * 20), "not an image of a supported format"),
        ("a.bmp", bytes_of(b"BMW is a car maker"), "damaged"),
        ("a.png", bytes_of(b"\x89PNG\r\n\x1a\nsome text"), "damaged"),
        ("a.tif", bytes_of(b"II*\0some text"), "damaged"),
        ("a.jpg", bytes_of(b"\xff\xd8\xff some text"), "damaged"),
        ("a.webp", bytes_of(b"RIFF\0\0\0\0WEBPsome text"), "damaged"),
        ("a.png", bytes_of(png_bytes(60_000, 60_000, 8, 2, b"\0")), "more than 134 megapixels"),
        ("a.png", bytes_of(png_bytes(60_000, 60_000, 16, 2, b"\0")), "more than 134 megapixels"),
        ("a.png", bytes_of(png_bytes(12_000, 12_000, 8, 2, b"\0")), "more than 134 megapixels"),
        ("a.tif", bomb_tiff, "more than 134 megapixels"),
        ("a.bmp", bomb_bmp, "more than 134 megapixels"),
        ("a.webp", animated_webp, "animation"),
        ("a.tif", stack_of_pages, "several pages"),
        (
            "a.tif",
            tiff_of(GREY.astype(np.float32), photometric="minisblack"),
            "32-bit samples of type float32",
        ),
        (
            "a.tif",
            tiff_of(GREY.astype(np.float64), photometric="minisblack"),
            "64-bit samples of type float64",
        ),
        ("a.tif", tiff_of(GREY.astype(np.uint32), photometric="minisblack"), "32-bit samples of type uint32"),
        ("a.tif", tiff_of(GREY.astype(np.int16), photometric="minisblack"), "16-bit samples of type int16"),
        ("a.tif", tiff_of(GREY > 99, photometric="minisblack"), "1-bit samples of type bool"),
        (
            "a.tif",
            tiff_of(GREY, photometric="palette", colormap=np.zeros((3, 256), np.uint16)),
            "colours are PALETTE",
        ),
        ("a.tif", tiff_of(RGBA16, photometric="rgb", extrasamples=["unspecified"]), "4 bands, and not"),
        ("a.tif", tiff_of(RGBA16, photometric="minisblack", planarconfig="contig"), "4 bands, and not"),
    ],
)
def test_bad_input_is_one_clear_error(
    tmp_path: Path, name: str, make: Callable[[Path], Any], message: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(UserError, match=message) as caught:
        read_image(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)
    assert caught.value.fix
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "bits"),
    [(".png", 8), (".png", 16), (".jpg", 8), (".tif", 8), (".tif", 16), (".bmp", 8), (".webp", 8)],
)
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, bits: Literal[8, 16]) -> None:
    noise = rng.random((40, 50, 3))
    write_image(tmp_path / f"whole{suffix}", noise, bits=bits)
    whole = (tmp_path / f"whole{suffix}").read_bytes()
    for size in [*range(4, 60, 7), len(whole) // 3, len(whole) // 2, len(whole) - 64]:
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"cut short|supported format"):
            read_image(cut)


def test_an_image_of_the_largest_size_is_read_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pillow warns from its own limit up to twice that
    write_image(tmp_path / "a.png", RGB_FLOAT)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", RGB[..., 0].size - 1)
    assert read_image(tmp_path / "a.png").pixels.shape == RGB.shape
    assert MAX_PIXELS < 2 * 89_478_485


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.jpg", {"bits": 16}, "JPEG cannot hold 16 bits"),
        ("a.bmp", {"bits": 16}, "BMP cannot hold 16 bits"),
        ("a.webp", {"bits": 16}, "WEBP cannot hold 16 bits"),
        ("a.jpg", {"alpha": np.ones((11, 17))}, "JPEG cannot hold alpha"),
        ("a.bmp", {"alpha": np.ones((11, 17))}, "BMP cannot hold alpha"),
        ("a.png", {"pixels": np.zeros((11, 17, 2))}, "pixels must be"),
        ("a.png", {"pixels": np.zeros((0, 17, 3))}, "pixels must be"),
        ("a.png", {"pixels": np.full((11, 17, 3), np.nan)}, "NaN"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    tmp_path: Path, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_image(tmp_path / name, **{"pixels": RGB / 255, **options})
    assert list(tmp_path.iterdir()) == []


def test_unknown_suffix_and_too_large_a_picture(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"suffix '\.xyz'"):
        write_image(tmp_path / "a.xyz", RGB / 255)
    with pytest.raises(UserError, match="more than WEBP can hold"):
        write_image(tmp_path / "a.webp", np.zeros((1, 16_384, 3)))
    with pytest.raises(UserError, match="more than JPEG can hold"):
        write_image(tmp_path / "a.jpg", np.zeros((65_501, 1, 1)))
    assert list(tmp_path.iterdir()) == []


def test_a_failing_encoder_keeps_the_old_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    write_image(path, RGB / 255)
    old = path.read_bytes()
    with pytest.raises(TypeError):
        write_image(path, RGB / 255, quality=95, icc="no bytes")  # pyright: ignore[reportArgumentType]
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_list_images_expands_folders_in_order(tmp_path: Path) -> None:
    for name in (
        "b/z.PNG",
        "b/a/c.jpg",
        "b/.hidden.png",
        "b/.cache/d.png",
        "b/notes.txt",
        "a.tif",
        "odd.dat",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "b" / "folder.png").mkdir()
    found = list_images(
        [tmp_path / "odd.dat", tmp_path / "b", str(tmp_path / "b" / "z.PNG"), tmp_path / "a.tif"]
    )
    assert [p.relative_to(tmp_path).as_posix() for p in found] == ["odd.dat", "b/a/c.jpg", "b/z.PNG", "a.tif"]
    first = list_images([tmp_path / "b" / "z.PNG", tmp_path / "b"])
    assert [p.name for p in first] == ["z.PNG", "c.jpg"]


def test_list_images_refuses_empty_folders_and_wrong_names(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no image"):
        list_images([tmp_path])
    with pytest.raises(UserError, match="no such file or folder"):
        list_images([tmp_path / "absent.png"])


def test_io_does_without_torch() -> None:
    code = "import sys, sr_lab.io.images, sr_lab.io.kernels; print(*({'torch', 'scipy'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
