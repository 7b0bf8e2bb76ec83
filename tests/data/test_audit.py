"""A folder judged before one trains on it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sr_lab.cli import app
from sr_lab.data.audit import audit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sharp image, the same enlarged, and files that cannot be judged."""
    f = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(128)) + 1e-2
    scene = np.fft.irfft2(np.fft.rfft2(np.random.default_rng(0).normal(size=(96, 128))) / f, (96, 128))
    sharp = Image.fromarray(np.clip(128 + 40 * scene / scene.std(), 0, 255).astype(np.uint8))
    sharp.save(tmp_path / "sharp.png")
    sharp.resize((256, 192), Image.Resampling.BICUBIC).save(tmp_path / "enlarged.png")
    sharp.crop((0, 0, 20, 20)).save(tmp_path / "small.png")
    Image.new("L", (40, 40), 9).save(tmp_path / "flat.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path


def test_a_file_is_judged(folder: Path) -> None:
    enlarged = audit(folder / "enlarged.png")
    assert (enlarged.size, enlarged.bits) == ((256, 192), 8)
    assert 0.4 < enlarged.bandwidth < 0.7
    assert audit(folder / "sharp.png").bandwidth > 0.9
    levels = np.asarray(Image.open(folder / "enlarged.png")).astype(np.uint16)
    Image.fromarray(100 * levels).save(folder / "counts.png")
    counts = audit(folder / "counts.png")
    assert counts.bits == 16
    assert counts.bandwidth == pytest.approx(enlarged.bandwidth, abs=0.05)


def test_the_command_says_a_line_a_file(folder: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--data", str(folder)])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    of = {name: line for line in lines[1:-1] for name in [line.split("  ")[-1].split(".png")[0].strip()]}
    assert set(of) == {"sharp", "enlarged", "small", "flat", "broken"}
    assert of["sharp"].endswith("sharp.png")
    assert "of the side says the same" in of["enlarged"]
    assert "256 x 192" in of["enlarged"]
    assert of["flat"].endswith("flat")
    assert "smaller than 32 px" in of["small"]
    assert "damaged" in of["broken"]
    assert lines[-1].startswith("2 of 3 images")


def test_the_command_takes_one_file(folder: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--data", str(folder / "sharp.png")])
    assert "sharp.png" in result.output
    assert "0 of 1 images" in result.output
