"""`sr-lab upscale` on the files people have."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from sr_lab.cli import app
from sr_lab.degradation.gaussian import gaussian_kernels
from sr_lab.io.images import read_image, write_image
from sr_lab.io.kernels import write_kernel

RUNNER = CliRunner()
SLOW = [
    *("--method", "dip_fkp", "--set", "method.iterations=3", "--set", "method.ssim_iterations=1"),
    *("--set", "prior.first_update=2"),
]


def photograph(height: int, width: int, channels: int = 3) -> np.ndarray:
    from skimage import data

    pixels = data.astronaut()[60 : 60 + height, 160 : 160 + width].astype(np.float32) / 255
    return np.ascontiguousarray(pixels if channels == 3 else pixels.mean(-1, keepdims=True))


def upscale(*arguments: str | Path) -> tuple[int, str]:
    result = RUNNER.invoke(app, ["upscale", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return 2, f"sr-lab: {result.exception}"
    return result.exit_code, result.output


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "kernel.npy"
    made = gaussian_kernels(
        torch.tensor([[2.0, 1.0]]), torch.tensor([0.5]), scale=2, anchor="block_center", recentre=False
    )
    write_kernel(path, made[0, 0].double().numpy())
    return path


def test_16_bit_grey_tiff_stays_what_it_is(tmp_path: Path) -> None:
    write_image(tmp_path / "deep.tif", photograph(40, 48, 1), bits=16)
    code, output = upscale(tmp_path / "deep.tif", "--scale", "2", "--out", tmp_path / "out")
    assert code == 0, output
    result = read_image(tmp_path / "out" / "deep.tif")
    assert (result.pixels.shape, result.bits, result.format) == ((80, 96, 1), 16, "TIFF")


def test_the_slow_estimate_starts_from_the_fast_one(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", photograph(40, 48))
    warm = ["--set", "prior@start=spectral", "--out", tmp_path / "out"]
    code, output = upscale(tmp_path / "a.png", "--scale", "2", *SLOW, *warm)
    assert code == 0, output
    assert (tmp_path / "out" / "a.png").exists()


def test_the_slow_estimate_works_too(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", photograph(40, 48))
    code, output = upscale(
        tmp_path / "a.png", "--scale", "2", "--out", tmp_path / "out", "--save-kernel", *SLOW
    )
    assert code == 0, output
    assert np.load(tmp_path / "out" / "a.kernel.npy").sum() == pytest.approx(1, abs=1e-4)


def test_alpha_is_kept(tmp_path: Path, kernel: Path) -> None:
    alpha = np.zeros((32, 40), np.float32)
    alpha[:, 20:] = 1
    write_image(tmp_path / "cut.png", photograph(32, 40), alpha=alpha)
    code, output = upscale(
        tmp_path / "cut.png", "--scale", "3", "--kernel", kernel, "--out", tmp_path / "out"
    )
    assert code == 0, output
    result = read_image(tmp_path / "out" / "cut.png")
    assert result.pixels.shape == (96, 120, 3)
    assert result.alpha is not None
    assert result.alpha[:, :50].max() == 0
    assert result.alpha[:, 70:].min() == 1


def test_a_folder_keeps_its_structure_and_a_bad_file_costs_only_itself(tmp_path: Path, kernel: Path) -> None:
    source = tmp_path / "in"
    (source / "sub").mkdir(parents=True)
    write_image(source / "a.png", photograph(24, 24))
    write_image(source / "sub" / "b.jpg", photograph(24, 32))
    (source / "broken.png").write_bytes((source / "a.png").read_bytes()[:200])
    (source / "text.jpg").write_text("not a picture")
    code, output = upscale(source, "--scale", "2", "--kernel", kernel, "--out", tmp_path / "out")
    assert code == 2
    assert read_image(tmp_path / "out" / "a.png").pixels.shape == (48, 48, 3)
    assert read_image(tmp_path / "out" / "sub" / "b.jpg").format == "JPEG"
    assert "2 of 4 files could not be restored" in output
    for name in ("broken.png", "text.jpg"):
        assert sum(name in line for line in output.splitlines()) == 1, "one clear line per bad file"
        assert not (tmp_path / "out" / name).exists()


@pytest.mark.filterwarnings("ignore:'small.png' shows little of its blur")
@pytest.mark.parametrize("scale", ["2", "4"])
def test_a_20x20_image_is_restored(tmp_path: Path, scale: str) -> None:
    write_image(tmp_path / "small.png", photograph(20, 20))
    code, output = upscale(tmp_path / "small.png", "--scale", scale, "--out", tmp_path / "out")
    assert code == 0, output
    assert read_image(tmp_path / "out" / "small.png").pixels.shape[0] == 20 * int(scale)


def test_a_kernel_estimate_is_written_if_asked_for(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", photograph(33, 45))
    code, output = upscale(
        tmp_path / "a.png", "--scale", "4", "--out", tmp_path, "--save-kernel", "--overwrite"
    )
    assert code == 0, output
    kernel = np.load(tmp_path / "a.kernel.npy")
    assert kernel.shape == (19, 19)
    assert kernel.sum() == pytest.approx(1, abs=1e-4)
    assert (tmp_path / "a.kernel.png").exists()


def test_a_varying_blur_has_its_kernels_shown(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", photograph(80, 96))
    code, output = upscale(
        tmp_path / "a.png", "--scale", "2", "--varying", "--out", tmp_path / "out", "--save-kernel"
    )
    assert code == 0, output
    assert read_image(tmp_path / "out" / "a.png").pixels.shape == (160, 192, 3)
    assert np.load(tmp_path / "out" / "a.kernel.npy").sum() == pytest.approx(1, abs=1e-4)
    assert read_image(tmp_path / "out" / "a.kernel.png").pixels.shape == (5 * 44, 5 * 44, 1)


def test_a_known_kernel_does_not_vary(tmp_path: Path, kernel: Path) -> None:
    write_image(tmp_path / "a.png", photograph(24, 24))
    code, output = upscale(tmp_path / "a.png", "--varying", "--kernel", kernel, "--out", tmp_path / "out")
    assert code == 2
    assert "--varying" in output


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nothing.png", "no such file"),
        (lambda folder: (folder / "note.txt", (folder / "note.txt").write_text("hello"))[0], "note.txt"),
        (
            lambda folder: (folder / "dot.png", write_image(folder / "dot.png", photograph(4, 4)))[0],
            "too few",
        ),
        (lambda folder: (folder / "empty", (folder / "empty").mkdir())[0], "empty"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, make: Callable[[Path], Path], said: str, kernel: Path
) -> None:
    code, output = upscale(make(tmp_path), "--kernel", kernel, "--out", tmp_path / "out")
    assert code == 2
    assert said in output
    assert "Traceback" not in output
    assert not list((tmp_path / "out").rglob("*")) if (tmp_path / "out").exists() else True


def test_an_input_is_not_replaced_silently(tmp_path: Path, kernel: Path) -> None:
    write_image(tmp_path / "a.png", photograph(24, 24))
    before = (tmp_path / "a.png").read_bytes()
    code, output = upscale(tmp_path / "a.png", "--scale", "2", "--kernel", kernel, "--out", tmp_path)
    assert code == 2
    assert "exists" in output
    assert (tmp_path / "a.png").read_bytes() == before


def test_a_second_run_keeps_what_is_there_and_reads_no_results(tmp_path: Path, kernel: Path) -> None:
    write_image(tmp_path / "a.png", photograph(24, 24))
    command = (tmp_path, "--scale", "2", "--kernel", kernel, "--out", tmp_path / "results")
    assert upscale(*command)[0] == 0
    before = (tmp_path / "results" / "a.png").stat().st_mtime_ns
    write_image(tmp_path / "später dazu.png", photograph(24, 24))
    code, output = upscale(*command)
    assert code == 0, output
    assert "exists already and is kept" in output
    assert (tmp_path / "results" / "a.png").stat().st_mtime_ns == before
    assert {path.name for path in (tmp_path / "results").rglob("*")} == {"a.png", "später dazu.png"}


def test_what_is_stopped_leaves_whole_files_only(
    tmp_path: Path, kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, photograph(24, 24))
    written = []

    def stop_at_the_second(*arguments: object, **options: object) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(arguments)
        write_image(*arguments, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr("sr_lab.scenes.natural.write_image", stop_at_the_second)
    code, output = upscale(tmp_path, "--scale", "2", "--kernel", kernel, "--out", tmp_path / "out")
    assert code == 130
    assert "goes on from here" in output
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["a.png"]


def test_equal_names_with_other_suffixes_have_their_own_kernels(tmp_path: Path, kernel: Path) -> None:
    for name in ("a.png", "a.bmp", "b.png"):
        write_image(tmp_path / name, photograph(24, 24))
    code, output = upscale(
        tmp_path, "--scale", "2", "--kernel", kernel, "--out", tmp_path / "out", "--save-kernel"
    )
    assert code == 0, output
    kernels = {path.name for path in (tmp_path / "out").glob("*.npy")}
    assert kernels == {"a.png.kernel.npy", "a.bmp.kernel.npy", "b.kernel.npy"}


@pytest.mark.parametrize(
    ("shape", "value", "said"),
    [((24, 24), 0, "flat"), ((24, 24), 1, "flat"), ((8, 9), None, "fewer than 16")],
)
def test_an_image_that_tells_nothing_is_restored_with_a_word(
    tmp_path: Path, shape: tuple[int, int], value: int | None, said: str
) -> None:
    pixels = photograph(*shape) if value is None else np.full((*shape, 3), value, np.float32)
    write_image(tmp_path / "dull.png", pixels)
    code, output = upscale(tmp_path / "dull.png", "--scale", "2", "--out", tmp_path / "out")
    assert code == 0, output
    assert len(output.splitlines()) == 1
    assert said in output
    result = read_image(tmp_path / "out" / "dull.png").pixels
    assert result.shape == (2 * shape[0], 2 * shape[1], 3)
    if value is not None:
        assert np.abs(result - value).max() < 0.02


def test_a_result_too_large_for_its_format_costs_no_time(tmp_path: Path, kernel: Path) -> None:
    write_image(tmp_path / "wide.jpg", np.zeros((8, 20_000, 3), np.float32))
    code, output = upscale(tmp_path / "wide.jpg", "--kernel", kernel, "--out", tmp_path / "out")
    assert code == 2
    assert "80000 x 32 pixels are more than JPEG can hold" in output


def test_an_output_folder_that_is_a_file_is_said_first(tmp_path: Path, kernel: Path) -> None:
    write_image(tmp_path / "a.png", photograph(24, 24))
    code, output = upscale(tmp_path / "a.png", "--kernel", kernel, "--out", kernel)
    assert code == 2
    assert "not a folder" in output


def test_a_known_blur_is_undone_better_than_by_bicubic(tmp_path: Path, kernel: Path) -> None:
    """The result lies on the usual grid: no shift against a block-centred ground truth."""
    from sr_lab.degradation.blur import blur_decimate

    hr = photograph(96, 96)
    lr = blur_decimate(
        torch.from_numpy(hr).permute(2, 0, 1)[None],
        torch.from_numpy(np.load(kernel)).float()[None, None],
        2,
        boundary="reflect",
    )
    write_image(tmp_path / "lr.png", np.ascontiguousarray(lr[0].permute(1, 2, 0).numpy()))
    errors = {}
    for method in ("fast", "bicubic"):
        code, output = upscale(
            tmp_path / "lr.png",
            "--scale",
            "2",
            "--kernel",
            kernel,
            "--method",
            method,
            "--out",
            tmp_path / method,
        )
        assert code == 0, output
        sr = read_image(tmp_path / method / "lr.png").pixels
        errors[method] = float(((sr - hr)[4:-4, 4:-4] ** 2).mean())
    assert errors["fast"] < 0.6 * errors["bicubic"], errors
