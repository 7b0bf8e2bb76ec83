"""Blur kernels on disk: .mat, .npy and pictures to float64 (k, k) and back.

A kernel comes back as it was stored: not flipped, not centred, not padded. Files do not say whether they mean
correlation or convolution, nor where the anchor is; the reader of a known set has to.
"""

import importlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, UInt8

from sr_lab.errors import UserError
from sr_lab.io.atomic import atomic_write
from sr_lab.io.images import damage_reported, read_head, read_image

KERNEL_SUFFIXES = (".mat", ".npy", ".png", ".tif", ".tiff")
_VARIABLE = "Kernel"  # as KernelGAN, FKP and DKP store it
_MAT73 = (b"MATLAB 7.3", b"\x89HDF\r\n\x1a\n")
_MAX_NEGATIVE = 0.1  # of the positive mass: a spline leaves 1e-8, a sharpening filter is no blur


def read_kernel(path: str | Path, *, normalise: bool = True) -> Float64[np.ndarray, "k k"]:
    """Read the one kernel of a file.

    Args:
        path: .mat (variable `Kernel`, else the only square matrix; v7.3 needs h5py), .npy, or a grey picture
            (.png, .tif) whose levels are the weights.
        normalise: divide by the sum.

    Returns:
        (k, k), k odd, finite, with a positive sum, and 1 as its sum if normalised.

    Raises:
        UserError: the file is missing or damaged, holds no kernel or several, or the kernel is not square,
            odd, finite and (but for 10 % of its mass) positive.
    """
    path = Path(path)
    found = _matrices(path)
    planes = next(iter(found.values()), [])
    if len(found) != 1 or len(planes) != 1:
        held = ", ".join(f"{name} ({_describe(planes)})" for name, planes in found.items()) or "no matrix"
        fix = f"Store one kernel a file, in a .mat as the variable {_VARIABLE}"
        raise UserError(f"cannot tell which kernel is meant; the file holds {held}", where=str(path), fix=fix)
    return _checked(planes[0], str(path), normalise)


def read_kernels(
    path: str | Path, *, normalise: bool = True, even: bool = False
) -> list[tuple[str, Float64[np.ndarray, "_ _"]]]:
    """Read every kernel of a folder or file, with names.

    Args:
        path: a folder of kernel files, or one file; a .mat or .npy may hold a cell or a stack of kernels.
            Sizes may differ.
        normalise: divide each by its sum.
        even: take even sides as well.

    Returns:
        (name, kernel) in the order of the sorted files and of the stack. The name is the file's, without
        suffix where that is unique, followed by `_01`, `_02`, ... where a file holds several. Kernels as in
        `read_kernel`.

    Raises:
        UserError: as in `read_kernel`, or there is no kernel at all.
    """
    kernels = []
    for name, found in survey_kernels(path, normalise=normalise, even=even):
        if isinstance(found, UserError):
            raise found
        kernels.append((name, found))
    return kernels


def survey_kernels(
    path: str | Path, *, normalise: bool = True, even: bool = False
) -> list[tuple[str, Float64[np.ndarray, "_ _"] | UserError]]:
    """As `read_kernels`, but a bad file of a folder, or a bad kernel, has its fault in its place.

    Raises:
        UserError: there is no kernel file at all, or the only one cannot be read.
    """
    path = Path(path)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    if path.is_dir():
        files = [f for f in files if f.suffix.lower() in KERNEL_SUFFIXES and not f.name.startswith(".")]
    stems = Counter(file.stem for file in files)
    named: list[tuple[str, np.ndarray | UserError]] = []
    for file in files:
        stem = file.stem if stems[file.stem] == 1 else file.name
        try:
            planes = [plane for some in _matrices(file).values() for plane in some]
        except UserError as fault:
            if not path.is_dir():
                raise
            named.append((stem, fault))
            continue
        for number, plane in enumerate(planes, start=1):
            name = stem if len(planes) == 1 else f"{stem}_{number:02d}"
            try:
                named.append((name, _checked(plane, f"{file}, kernel {number}", normalise, even)))
            except UserError as fault:
                named.append((name, fault))
    if not named:
        fix = f"Kernels are square matrices in files ending in {', '.join(KERNEL_SUFFIXES)}"
        raise UserError("there is no kernel here", where=str(path), fix=fix)
    return named


def write_kernel(path: str | Path, kernel: Float[np.ndarray, "k k"]) -> None:
    """Write a (k, k) kernel as it is, as float64: .npy, or .mat with the variable `Kernel`.

    Raises:
        UserError: another suffix, or the file cannot be made there.
    """
    path = Path(path)
    values = np.asarray(kernel, dtype=np.float64)
    if path.suffix.lower() == ".npy":
        with atomic_write(path) as file:
            np.save(file, values)
    elif path.suffix.lower() == ".mat":
        from scipy.io import savemat

        with atomic_write(path) as file:
            savemat(file, {_VARIABLE: values})
    else:
        fix = "End its name in .npy or .mat"
        raise UserError(f"kernels are not written as {path.suffix!r}", where=str(path), fix=fix)


def kernel_picture(kernel: Float[np.ndarray, "k k"], size: int) -> UInt8[np.ndarray, "size size"]:
    """Show a kernel: its greatest weight white, zero and less black, enlarged by nearest neighbour.

    Raises:
        ValueError: size is below k, or the kernel is not finite.
    """
    side = kernel.shape[0]
    if size < side or not np.isfinite(kernel).all():
        raise ValueError(f"cannot show a {side} x {side} kernel in {size} x {size}, or it is not finite")
    weights = np.maximum(kernel, 0)
    levels = np.rint(weights * (255 / (weights.max() or 1))).astype(np.uint8)
    nearest = np.arange(size) * side // size
    return levels[np.ix_(nearest, nearest)]


def contact_sheet(kernels: Sequence[tuple[str, np.ndarray]], cell: int = 96) -> UInt8[np.ndarray, "h w"]:
    """Kernels side by side as `kernel_picture` shows them, each with its name below.

    Args:
        kernels: (name, kernel); sizes may differ, all are shown about equally large.
        cell: least side of one picture.
    """
    from PIL import Image, ImageDraw

    largest = max(len(kernel) for _, kernel in kernels)
    cell = math.ceil(cell / largest) * largest
    columns = min(10, math.ceil(math.sqrt(len(kernels))))
    gap, line = 6, 14  # pixels between pictures, and for a name
    rows = math.ceil(len(kernels) / columns)
    sheet = Image.new("L", (columns * (cell + gap) + gap, rows * (cell + line + gap) + gap), 64)
    draw = ImageDraw.Draw(sheet)
    for index, (name, kernel) in enumerate(kernels):
        x, y = gap + index % columns * (cell + gap), gap + index // columns * (cell + line + gap)
        picture = kernel_picture(kernel, cell // len(kernel) * len(kernel))  # every weight a whole square
        rest = (cell - len(picture)) // 2
        sheet.paste(Image.fromarray(picture), (x + rest, y + rest))
        draw.text((x, y + cell + 1), name[-cell // 6 :], fill=230)  # the font is 6 px wide; ends tell most
    return np.asarray(sheet)


def _matrices(path: Path) -> dict[str, list[np.ndarray]]:
    """The matrices of a file by variable: `Kernel` alone, else what may be kernels, else all there are."""
    held, stack_axis = _read(path)
    found = {name: planes for name, value in held.items() if (planes := _planes(value, stack_axis))}
    if _VARIABLE in found:
        return {_VARIABLE: found[_VARIABLE]}
    return {name: planes for name, planes in found.items() if _may_be_kernels(planes)} or found


def _read(path: Path) -> tuple[Mapping[str, object], int]:
    """The variables of a file, and the axis along which its format stacks by custom."""
    head = read_head(path)
    suffix = path.suffix.lower()
    if suffix == ".mat":
        with damage_reported(path):
            return _read_mat73(path) if head.startswith(_MAT73) else _read_mat(path), 2
    if suffix == ".npy":
        with damage_reported(path):
            return {path.stem: np.lib.format.open_memmap(path, mode="r")}, 0
    if suffix in KERNEL_SUFFIXES:
        pixels = read_image(path).pixels
        if np.ptp(pixels, axis=2).any():
            raise UserError("the picture of the kernel is in colour", where=str(path), fix="Save it as grey")
        return {path.stem: pixels[..., 0]}, 0
    fix = f"Give a file ending in {', '.join(KERNEL_SUFFIXES)}"
    raise UserError(f"kernels are not read from {suffix!r}", where=str(path), fix=fix)


def _read_mat(path: Path) -> Mapping[str, object]:
    from scipy.io import loadmat

    with path.open("rb") as file:
        return loadmat(file)


def _read_mat73(path: Path) -> Mapping[str, object]:
    """MATLAB 7.3 is HDF5 with the axes reversed and cells as references."""
    try:
        h5py = importlib.import_module("h5py")
    except ImportError as fault:
        fix = "Install h5py (pip install h5py), or save it in MATLAB with the option '-v7'"
        raise UserError("this MATLAB 7.3 file needs the package h5py", where=str(path), fix=fix) from fault
    held = {}
    with h5py.File(path, "r") as file:
        for name, item in file.items():
            if not isinstance(item, h5py.Dataset):
                continue
            value = np.asarray(item[()])
            if value.dtype.hasobject:
                cells = np.empty(value.shape, dtype=object)
                for at, reference in np.ndenumerate(value):
                    cells[at] = np.asarray(file[reference][()]).T
                value = cells
            held[name] = value.T
    return held


def _planes(value: object, stack_axis: int) -> list[np.ndarray]:
    """Split a matrix, a stack or a cell into matrices; empty for anything else."""
    if not isinstance(value, np.ndarray):
        return []
    if value.dtype.hasobject:
        cells = [np.asarray(cell) for cell in value.ravel(order="F")]
        return cells if all(cell.ndim == 2 and cell.dtype.kind in "biuf" for cell in cells) else []
    if value.dtype.kind not in "biuf" or value.ndim not in (2, 3):
        return []
    if value.ndim == 2:
        return [value]
    # the two equal axes are the kernel's; where all are equal the format's custom decides
    height, width = value.shape[0], value.shape[2]
    if height == value.shape[1] != width:
        stack_axis = 2
    elif height != value.shape[1] == width:
        stack_axis = 0
    return list(np.moveaxis(value, stack_axis, 0))


def _may_be_kernels(planes: list[np.ndarray]) -> bool:
    # MATLAB's scalars are 1 x 1 matrices
    return any(plane.shape[0] == plane.shape[1] > 1 for plane in planes)


def _describe(planes: list[np.ndarray]) -> str:
    size = " x ".join(map(str, planes[0].shape))
    return size if len(planes) == 1 else f"{len(planes)} matrices, the first {size}"


def _checked(plane: np.ndarray, where: str, normalise: bool, even: bool = False) -> np.ndarray:
    kernel = np.array(plane, dtype=np.float64)
    if (
        kernel.ndim != 2
        or kernel.shape[0] != kernel.shape[1]
        or (kernel.shape[0] % 2 == 0 and not (even and len(kernel)))
    ):
        what = f"the kernel's size is {' x '.join(map(str, kernel.shape))}"
        odd = "" if even else " with an odd side"
        raise UserError(what, where=where, fix=f"A kernel must be square{odd}; pad or cut it")
    if not np.isfinite(kernel).all():
        raise UserError("the kernel holds NaN or infinity", where=where, fix="Estimate or export it again")
    positive, negative = kernel[kernel > 0].sum(), -kernel[kernel < 0].sum()
    if positive == 0 or negative > _MAX_NEGATIVE * positive:
        what = f"the kernel's weights sum to {positive:.3g} above zero and {-negative:.3g} below"
        raise UserError(what, where=where, fix="A blur kernel is positive, but for a tenth of its mass")
    return kernel / kernel.sum() if normalise else kernel
