"""The one pair that the published code ships: our chain must make its LR image to the last bit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sr_lab.degradation.blur import Boundary
from sr_lab.degradation.chain import Degradation, modcrop
from sr_lab.degradation.corruptions import Quantise
from sr_lab.degradation.kernel_files import KernelFiles
from sr_lab.degradation.noise import Rounding
from sr_lab.io.images import read_image

Turn = Callable[[torch.Tensor], torch.Tensor]


def same(kernel: torch.Tensor) -> torch.Tensor:
    return kernel


def difference(
    data: Path,
    turn: Turn = same,
    how: Rounding = "floor",
    boundary: Boundary = "circular",
    phase: int = 0,
) -> np.ndarray:
    """Grey levels by which our LR image differs from the stored one."""
    pair = data / "natural" / "fkp_test"
    kernels = KernelFiles(pair / "102061_kernel_x4.mat", scale=4, recentre=False)
    kernels.kernels = turn(kernels.kernels).contiguous()
    chain = Degradation(4, kernels, [Quantise(how)], boundary=boundary, phase=phase)
    hr = torch.from_numpy(read_image(pair / "102061_hr.png").pixels).permute(2, 0, 1)
    lr = chain.degrade(modcrop(hr, 4)[None], torch.Generator().manual_seed(0)).lr
    stored = np.asarray(Image.open(pair / "102061_lr_x4.png"))[..., :3]
    return lr[0].permute(1, 2, 0).numpy() * 255 - stored.astype(np.float64)


def test_every_sample_is_equal(data: Path):
    error = difference(data)
    assert error.shape == (120, 80, 3)
    assert np.abs(error).max() < 1e-4


@pytest.mark.parametrize(
    ("turn", "phase", "expected"),
    [
        (same, 1, 7.0),
        (lambda kernel: kernel.flip(-2, -1), 0, 18.5),
        (lambda kernel: kernel.mT, 0, 8.9),
    ],
    ids=["phase 1", "convolution", "transposed kernel"],
)
def test_wrong_conventions_miss_it_by_grey_levels(data: Path, turn: Turn, phase: int, expected: float):
    error = difference(data, turn, phase=phase)
    assert float(np.sqrt((error**2).mean())) == pytest.approx(expected, abs=0.06)


def test_rounding_misses_half_of_the_samples(data: Path):
    error = difference(data, how="round")
    assert float((np.abs(error) < 0.5).mean()) == pytest.approx(0.499, abs=0.002)
    unquantised = difference(data, how="none")
    assert float(unquantised.mean()) == pytest.approx(0.50, abs=0.01)


@pytest.mark.parametrize("boundary", ["reflect", "replicate"])
def test_another_boundary_misses_the_rim_only(data: Path, boundary: Boundary):
    error = np.abs(difference(data, boundary=boundary))
    assert error[3:-3, 3:-3].max() < 1e-4
    assert error.max() > 10
