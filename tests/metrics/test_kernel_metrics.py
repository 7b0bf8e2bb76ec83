import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import metrics as reference
from scipy.io import loadmat

from sr_lab.degradation.gaussian import gaussian_kernels
from sr_lab.metrics.kernel import (
    aligned_kernel_psnr,
    centre_of_mass_offset,
    kernel_psnr,
    width_error,
    zero_kernel_floor,
)

DATA = Path(os.environ.get("SR_LAB_DATA", Path(__file__).parents[3] / "shared/data"))
SHIPPED = DATA / "natural/fkp_test/102061_kernel_x4.mat"


def gaussian(size: int, variance: float, row: float = 0.0, column: float = 0.0):
    """Gaussian (1, 1, size, size) of sum 1, displaced from the middle."""
    axis = torch.arange(size).double() - (size - 1) / 2
    kernel = torch.exp(-((axis - row)[:, None] ** 2 + (axis - column) ** 2) / (2 * variance))
    return (kernel / kernel.sum())[None, None]


def test_kernel_psnr_is_the_plain_definition():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 3, 1, 7, 7, generator=generator).double() / 49
    expected = [reference.psnr(x[i].numpy(), y[i].numpy(), 1.0) for i in range(3)]
    np.testing.assert_allclose(kernel_psnr(x, y), expected, rtol=1e-12)
    assert torch.isposinf(kernel_psnr(x, x)).all()
    np.testing.assert_allclose(zero_kernel_floor(y), [reference.psnr(0 * k, k, 1.0) for k in y.numpy()])


def test_smaller_kernel_is_padded_about_its_centre():
    small, wide = gaussian(7, 1.0), gaussian(11, 2.0)
    padded = torch.nn.functional.pad(small, (2, 2, 2, 2))
    for metric in (kernel_psnr, aligned_kernel_psnr, centre_of_mass_offset):
        torch.testing.assert_close(metric(small, wide), metric(padded, wide))
        torch.testing.assert_close(metric(wide, small), metric(wide, padded))


def test_aligned_kernel_psnr_agrees_with_a_search_by_hand():
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(2, 1, 5, 5, generator=generator).double()
    y = torch.rand(2, 1, 4, 4, generator=generator).double()
    expected = [reference.aligned_kernel_psnr(x[i, 0].numpy(), y[i, 0].numpy()) for i in range(2)]
    np.testing.assert_allclose(aligned_kernel_psnr(x, y), expected, rtol=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.floats(1, 3), st.floats(1, 3), st.floats(-2, 2), st.floats(-2, 2), st.floats(0.5, 2))
def test_aligned_kernel_psnr_ignores_shift_and_scale(
    variance: float, other: float, row: float, column: float, gain: float
):
    truth, moved = gaussian(15, variance), gain * gaussian(15, other, row, column)
    # What the window cuts off and the 1/16 px of the grid limit the agreement.
    still, found = (10 ** (-aligned_kernel_psnr(k, truth) / 20) for k in (gaussian(15, other), moved))
    assert float((found - still).abs()) < 1e-3


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(-3, 3), st.integers(-3, 3))
def test_whole_shifts_and_scale_change_nothing(seed: int, down: int, right: int):
    kernels = torch.rand(2, 1, 1, 5, 5, generator=torch.Generator().manual_seed(seed)).double()
    estimate, truth = torch.nn.functional.pad(kernels, (4, 4, 4, 4))
    moved = 1.7 * estimate.roll((down, right), (2, 3))
    torch.testing.assert_close(aligned_kernel_psnr(moved, truth), aligned_kernel_psnr(estimate, truth))
    assert torch.isposinf(aligned_kernel_psnr(moved, estimate)).all()


def test_aligned_equals_plain_where_no_shift_helps():
    estimate, truth = gaussian(15, 1.5), gaussian(15, 3.0)
    torch.testing.assert_close(aligned_kernel_psnr(estimate, truth), kernel_psnr(estimate, truth))
    assert torch.isposinf(aligned_kernel_psnr(3 * truth.float(), truth)).all()


def test_kernel_without_mass_is_not_a_number():
    zero, truth = torch.zeros(1, 1, 9, 9), gaussian(9, 1.0).float()
    assert torch.isnan(aligned_kernel_psnr(zero, truth)).all()
    assert torch.isnan(centre_of_mass_offset(zero, truth)).all()
    assert torch.isfinite(kernel_psnr(zero, truth)).all()


@settings(max_examples=25, deadline=None)
@given(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5), st.floats(0.5, 2))
def test_offset_finds_a_displacement_whatever_the_sum(row: float, column: float, gain: float):
    offset = centre_of_mass_offset(gain * gaussian(19, 1.0, row, column), gaussian(19, 1.0))
    torch.testing.assert_close(offset, torch.tensor([[row, column]]).double(), rtol=0, atol=1e-6)


@pytest.mark.skipif(not SHIPPED.is_file(), reason=f"no real data at {DATA} (set SR_LAB_DATA)")
def test_floor_of_the_shipped_kernel():
    truth = torch.from_numpy(loadmat(SHIPPED)["Kernel"])[None, None]
    flat = torch.full_like(truth, 1 / truth.numel())
    assert float(zero_kernel_floor(truth)) == pytest.approx(41.5, abs=0.05)
    assert float(kernel_psnr(flat, truth)) == pytest.approx(42.0, abs=0.05)
    # The same kernel at the other anchor: s-1 = 3 px away, nearly symmetric.
    turned = truth.flip(2, 3)
    assert float(kernel_psnr(turned, truth)) < 42
    assert float(aligned_kernel_psnr(turned, truth)) > 70
    torch.testing.assert_close(
        centre_of_mass_offset(turned, truth), torch.full((1, 2), 3.0).double(), rtol=0, atol=0.1
    )


def test_width_errors_are_percent_of_standard_deviations() -> None:
    wide, narrow = (
        gaussian_kernels(torch.tensor([variances]), torch.zeros(1), scale=2, size=41, recentre=False)
        for variances in ([4.0, 9.0], [1.0, 9.0])
    )
    assert width_error(wide, narrow, 1).item() == pytest.approx(100, rel=1e-3)
    assert width_error(3 * wide, narrow, 0).item() == pytest.approx(0, abs=1e-3)
    assert width_error(narrow, wide, 1).item() == pytest.approx(50, rel=1e-3)
    assert width_error(0 * wide, wide, 0).isnan().item()
