"""Pictures on disk: 8- and 16-bit files to float32 in [0, 1] and back, exact to the last level."""

import os
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import imagecodecs
import numpy as np
import tifffile
from jaxtyping import Float, Float32, UInt8, UInt16
from PIL import Image

from sr_lab.errors import UserError
from sr_lab.io.atomic import atomic_write
from sr_lab.io.listing import list_files

ImageFormat = Literal["PNG", "JPEG", "TIFF", "BMP", "WEBP"]
Levels = UInt8[np.ndarray, "*shape"] | UInt16[np.ndarray, "*shape"]

_FORMAT_OF_SUFFIX: dict[str, ImageFormat] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".webp": "WEBP",
}
IMAGE_SUFFIXES = tuple(_FORMAT_OF_SUFFIX)
MAX_PIXELS = 2**27  # 134 megapixels: any camera's picture; as float32 RGB it takes 1.6 GB

_MAGIC: dict[bytes, ImageFormat] = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
}
_LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}
_ORIENTATION = 274  # the tag of EXIF and of TIFF alike
_PNG_DEPTH = slice(24, 25)  # the byte of the bits a sample: the header always comes first
_TIFF_HELP = "Save it as one page of 8- or 16-bit unsigned grey or RGB, with or without alpha"


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as it is meant to be seen: upright, palettes resolved, alpha apart and not multiplied in.

    Attributes:
        pixels: (H, W, C) in [0, 1], C is 1 (grey) or 3 (RGB).
        alpha: (H, W) in [0, 1], 1 is opaque; None where the file has none.
        bits: bits a sample in the file, so that a result can be written as finely.
        format: what the content is, whatever the file's name says.
        suffix: the end of the file's name, as found.
        icc: the embedded colour profile of `pixels`.
        path: where it was read.
    """

    pixels: Float32[np.ndarray, "h w c"]
    alpha: Float32[np.ndarray, "h w"] | None
    bits: Literal[8, 16]
    format: ImageFormat
    suffix: str
    icc: bytes | None
    path: Path


class _Decoded(NamedTuple):
    values: np.ndarray  # unsigned, (H, W) or (H, W, S); S of 2 or 4 ends in alpha
    icc: bytes | None
    orientation: int
    premultiplied: bool = False


def read_image(path: str | Path) -> Picture:
    """Read a PNG, JPEG, TIFF, BMP or WebP file; the content decides, not the suffix.

    Args:
        path: 8- or 16-bit grey, RGB or palette, with or without alpha; fewer bits are widened to 8. EXIF and
            TIFF orientation are applied. CMYK becomes RGB by the plain formula, and its profile is dropped.

    Raises:
        UserError: the file is missing, empty, damaged, no image, larger than `MAX_PIXELS`, or of a kind that
            is not supported (several pages, floats, more than 16 bits).
    """
    path = Path(path)
    kind = _format_of(path)
    with damage_reported(path):
        if kind == "PNG" and read_head(path)[_PNG_DEPTH] == b"\x10":
            decoded = _read_png16(path)
        elif kind == "TIFF":
            decoded = _read_tiff(path)
        else:
            decoded = _read_with_pillow(path, kind)
    top = np.iinfo(decoded.values.dtype).max
    upright = _upright(decoded.values, decoded.orientation)
    samples = np.divide(np.atleast_3d(upright), np.float32(top), dtype=np.float32, order="C")
    pixels, alpha = samples, None
    if samples.shape[2] in (2, 4):
        pixels, alpha = np.ascontiguousarray(samples[..., :-1]), np.ascontiguousarray(samples[..., -1])
        if decoded.premultiplied:
            np.divide(pixels, alpha[..., None], out=pixels, where=alpha[..., None] > 0)
            np.minimum(pixels, 1, out=pixels)
    bits = 8 if top == 255 else 16
    return Picture(pixels, alpha, bits, kind, path.suffix, decoded.icc, path)


def write_image(
    path: str | Path,
    pixels: Float[np.ndarray, "h w c"] | UInt8[np.ndarray, "h w c"] | UInt16[np.ndarray, "h w c"],
    *,
    bits: Literal[8, 16] = 8,
    alpha: Float[np.ndarray, "h w"] | UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"] | None = None,
    format: ImageFormat | None = None,
    icc: bytes | None = None,
    quality: int = 95,
) -> None:
    """Write a picture, whole or not at all; values are clipped to [0, 1] and rounded to the nearest level.

    Lossless but for JPEG (4:4:4): PNG, TIFF (deflate, predictor), BMP, WebP. Grey stays one channel, except
    in WebP, which has no grey.

    Args:
        path: its suffix names the format unless `format` is given; parent folders are made.
        pixels: (H, W, C) in [0, 1], C is 1 or 3; or the levels themselves (see `to_levels`), which are not copied.
        bits: 16 for PNG and TIFF only.
        alpha: (H, W) in [0, 1], or levels; not for JPEG and BMP.
        format: overrides the suffix.
        icc: colour profile to embed; BMP cannot hold one and goes without.
        quality: of a JPEG, 1 to 100.

    Raises:
        ValueError: the format cannot hold such bits or alpha, the shapes do not fit, or a value is NaN.
        UserError: unknown suffix, too large for the format, or the file cannot be made there.
    """
    path = Path(path)
    kind = format or _FORMAT_OF_SUFFIX.get(path.suffix.lower())
    if kind is None:
        fix = f"End its name in one of {', '.join(IMAGE_SUFFIXES)}"
        raise UserError(f"no image format has the suffix {path.suffix!r}", where=str(path), fix=fix)
    if bits not in ((8, 16) if kind in ("PNG", "TIFF") else (8,)):
        raise ValueError(f"{kind} cannot hold {bits} bits a sample")
    if alpha is not None and kind in ("JPEG", "BMP"):
        raise ValueError(f"{kind} cannot hold alpha")
    check_size(path, kind, *pixels.shape[:2])
    values = _sample_levels(pixels, alpha, bits)
    with atomic_write(path) as file:
        if kind == "PNG":
            _encode_png(file, values, icc)
        elif kind == "TIFF":
            _encode_tiff(file, values, icc)
        else:
            options = {
                "JPEG": {"quality": quality, "subsampling": 0},
                "WEBP": {"lossless": True, "exact": True},
            }
            profile = {"icc_profile": icc} if icc and kind != "BMP" else {}
            Image.fromarray(values).save(file, kind, **options.get(kind, {}), **profile)


def check_size(path: Path, kind: ImageFormat, height: int, width: int) -> None:
    """See that a format can hold so many pixels a side.

    Raises:
        UserError: it cannot.
    """
    if max(height, width) > _LONGEST_SIDE.get(kind, 2**31 - 1):
        size = f"{width} x {height} pixels are more than {kind} can hold"
        raise UserError(size, where=str(path), fix="Write PNG or TIFF instead")


def to_levels(values: Float[np.ndarray, "*shape"] | Levels, bits: Literal[8, 16]) -> Levels:
    """Values in [0, 1], clipped, to the nearest of 2^bits levels; levels pass as they are.

    Raises:
        ValueError: a value is NaN, or the levels are not of so many bits.
    """
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
    if values.dtype.kind == "u":
        if values.dtype != dtype:
            raise ValueError(f"levels of {bits} bits are {dtype}, not {values.dtype}")
        return values
    if np.isnan(values).any():
        raise ValueError("pixels or alpha hold NaN")
    levels = np.clip(values, 0, 1, dtype=np.float32)
    levels *= 2**bits - 1
    return np.rint(levels, out=levels).astype(dtype)


def list_images(paths: Iterable[str | Path]) -> list[Path]:
    """Files as given, and all files of folders with one of `IMAGE_SUFFIXES`; see `list_files`."""
    return list_files(paths, IMAGE_SUFFIXES, "image")


def read_head(path: Path) -> bytes:
    """The first 128 bytes of a file that must exist and hold something.

    Raises:
        UserError: missing, a folder, unreadable or empty.
    """
    if os.path.isdir(path):  # which, unlike Path.is_dir, bears names that are too long
        raise UserError("this is a folder, not a file", where=str(path), fix="Name a file in it")
    try:
        with path.open("rb") as file:
            head = file.read(128)
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), fix="Check the path") from None
    except OSError as fault:
        what = f"the file cannot be opened ({fault.strerror})"
        raise UserError(what, where=str(path), fix="Check its permissions") from fault
    if not head:
        raise UserError("the file is empty", where=str(path), fix="Copy or export it again")
    return head


@contextmanager
def damage_reported(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into one UserError that names the file."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as fault:  # decoders raise anything at all on damaged bytes
        reason = next(iter(str(fault).splitlines()), type(fault).__name__)
        fix = "Copy or export it again"
        raise UserError(f"the file is damaged or cut short ({reason})", where=str(path), fix=fix) from fault


def _format_of(path: Path) -> ImageFormat:
    head = read_head(path)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    fix = "Give a PNG, JPEG, TIFF, BMP or WebP file"
    raise UserError("the content is not an image of a supported format", where=str(path), fix=fix)


def _too_large(path: Path) -> UserError:
    what = f"the image has more than {MAX_PIXELS // 10**6} megapixels"
    return UserError(what, where=str(path), fix="Cut it into tiles")


def _open(path: Path, kind: ImageFormat) -> Image.Image:
    with warnings.catch_warnings():
        # MAX_PIXELS is our limit; Pillow starts to warn below it and refuses above
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return Image.open(path, formats=[kind])
        except Image.DecompressionBombError as fault:
            raise _too_large(path) from fault


def _read_png16(path: Path) -> _Decoded:
    data = path.read_bytes()
    width, height = struct.unpack_from(">II", data, 16)
    if width * height > MAX_PIXELS:
        raise _too_large(path)
    # Pillow for the metadata only: it would silently cut 16-bit colour to 8 bits, and libpng writes its
    # complaints about profiles straight to stderr, so it reads nothing but what Pillow cannot
    with _open(path, "PNG") as header:
        exif = Image.Exif()
        exif.load(header.info.get("exif", b""))
        icc = header.info.get("icc_profile")
    return _Decoded(imagecodecs.png_decode(data), icc, exif.get(_ORIENTATION, 1))


def _read_tiff(path: Path) -> _Decoded:
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        if page.imagedepth > 1 or any(map(_is_full, tiff.pages[1:])):
            raise UserError("the TIFF holds several pages", where=str(path), fix=_TIFF_HELP)
        if page.imagewidth * page.imagelength > MAX_PIXELS:
            raise _too_large(path)
        if page.dtype not in (np.uint8, np.uint16) or page.bitspersample != 8 * page.dtype.itemsize:
            what = f"the TIFF holds {page.bitspersample}-bit samples of type {page.dtype}"
            raise UserError(what, where=str(path), fix=_TIFF_HELP)
        inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        grey = inverted or page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
        rgb = page.photometric == tifffile.PHOTOMETRIC.RGB
        if page.compression == tifffile.COMPRESSION.JPEG:  # YCbCr by name, RGB once decoded
            rgb |= page.photometric == tifffile.PHOTOMETRIC.YCBCR
        if not (grey or rgb):
            colours = getattr(page.photometric, "name", page.photometric)
            raise UserError(f"the TIFF's colours are {colours}", where=str(path), fix=_TIFF_HELP)
        extra = page.samplesperpixel - (1 if grey else 3)
        if extra and page.extrasamples not in ((1,), (2,)):
            what = f"the TIFF holds {page.samplesperpixel} bands, and not as colour and alpha"
            raise UserError(what, where=str(path), fix=_TIFF_HELP)
        values = page.asarray()
        if page.axes == "SYX":
            values = np.moveaxis(values, 0, 2)
        if inverted:
            values = np.iinfo(values.dtype).max - values
        premultiplied = page.extrasamples == (tifffile.EXTRASAMPLE.ASSOCALPHA,)
        return _Decoded(values, page.iccprofile, page.tags.valueof(_ORIENTATION, 1), premultiplied)


def _is_full(page: tifffile.TiffPage | tifffile.TiffFrame) -> bool:
    # a preview beside the picture is no second page
    return not (isinstance(page, tifffile.TiffPage) and page.is_reduced)


def _read_with_pillow(path: Path, kind: ImageFormat) -> _Decoded:
    with _open(path, kind) as image:
        if image.width * image.height > MAX_PIXELS:
            raise _too_large(path)
        if kind == "WEBP" and getattr(image, "n_frames", 1) > 1:
            raise UserError("the WebP is an animation", where=str(path), fix="Save one frame of it")
        icc = image.info.get("icc_profile")
        orientation = image.getexif().get(_ORIENTATION, 1)
        if image.mode in ("1", "L", "LA"):
            mode = "LA" if image.has_transparency_data else "L"
        else:
            mode = "RGBA" if image.has_transparency_data else "RGB"
        if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
            icc = None  # it describes the colours before they became RGB
        upright = image if image.mode == mode else image.convert(mode)
        return _Decoded(np.asarray(upright), icc, orientation)


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def _sample_levels(pixels: np.ndarray, alpha: np.ndarray | None, bits: Literal[8, 16]) -> np.ndarray:
    if pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise ValueError(f"pixels must be (H, W, 1) or (H, W, 3), not {pixels.shape}")
    values = to_levels(pixels, bits)
    if alpha is not None:
        values = np.concatenate([values, to_levels(alpha, bits)[..., None]], axis=2)
    return values[..., 0] if values.shape[2] == 1 else values


def _encode_png(file: BinaryIO, values: np.ndarray, icc: bytes | None) -> None:
    encoded = memoryview(imagecodecs.png_encode(values))
    header_end = 33  # signature and IHDR, after which a profile may stand
    file.write(encoded[:header_end])
    if icc:
        body = b"iCCP" + b"icc\0\0" + zlib.compress(icc)
        file.write(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
    file.write(encoded[header_end:])


def _encode_tiff(file: BinaryIO, values: np.ndarray, icc: bytes | None) -> None:
    samples = values.shape[2] if values.ndim == 3 else 1
    tifffile.imwrite(
        file,
        values,
        photometric="rgb" if samples >= 3 else "minisblack",
        planarconfig="contig" if samples > 1 else None,
        extrasamples=["unassalpha"] if samples in (2, 4) else None,
        compression="zlib",
        predictor=True,
        iccprofile=icc,
        metadata=None,
        software=False,
    )
