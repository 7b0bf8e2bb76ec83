"""Thermal measures against NumPy, and that each sees what it is for."""

import numpy as np
import pytest
import torch

from sr_lab.metrics import thermal
from sr_lab.metrics.table import evaluate, needs_again

GENERATOR = torch.Generator().manual_seed(0)
HR = torch.rand(2, 1, 24, 40, generator=GENERATOR)
SR = HR + 0.1 * torch.randn(HR.shape, generator=GENERATOR)
GAIN = torch.tensor([255.0, 12.5])


def test_errors_are_in_the_files_unit() -> None:
    sr, hr, gain = SR.double().numpy(), HR.double().numpy(), GAIN.double().numpy()
    rmse = gain * np.sqrt(((sr - hr) ** 2).mean((1, 2, 3)))
    np.testing.assert_allclose(thermal.rmse_unit(SR, HR, GAIN), rmse)
    np.testing.assert_allclose(
        thermal.hot_spot(SR, HR, GAIN), gain * abs(sr.max((1, 2, 3)) - hr.max((1, 2, 3)))
    )
    top = [np.quantile(one.reshape(2, -1), 0.999, axis=1) for one in (sr, hr)]
    np.testing.assert_allclose(thermal.hot_area(SR, HR, GAIN), gain * abs(top[0] - top[1]))
    lr = torch.nn.functional.avg_pool2d(HR, 2)
    assert thermal.drift(HR, lr, GAIN).max() < 1e-5
    np.testing.assert_allclose(thermal.drift(HR + 0.5, lr, GAIN), 0.5 * gain, rtol=1e-5)


def test_stripes_are_seen_and_objects_are_not() -> None:
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    smooth = (0.5 + 0.2 * torch.sin(rows / 20) * torch.cos(columns / 30))[None, None]
    offsets = 0.02 * torch.randn(96, generator=torch.Generator().manual_seed(1))
    striped, people = smooth + offsets, smooth.clone()
    people[..., 20:25, 40:44] += 0.4
    clean = float(thermal.stripes(smooth))
    assert clean < 0.15
    assert float(thermal.stripes(striped)) == pytest.approx(2, rel=0.2)
    assert float(thermal.stripes(people)) < 2 * clean + 0.05


def test_the_table_measures_what_is_known() -> None:
    names = ["psnr_grey", "psnr_y", "rmse_unit", "drift", "consistency", "stripes"]
    lr = torch.nn.functional.avg_pool2d(HR, 2)
    again = torch.nn.functional.avg_pool2d(SR, 2)
    assert needs_again(names)
    assert not needs_again(names[:4])
    found = evaluate(names, sr=SR, scale=2, hr=HR, lr=lr, again=again, gain=GAIN).measured
    assert set(found) == set(names)
    error = torch.nn.functional.avg_pool2d(SR - HR, 2).double().square().mean((1, 2, 3)).sqrt() * GAIN
    np.testing.assert_allclose(found["consistency"].values, error, rtol=1e-5)
    without = evaluate(names, sr=SR, scale=2).measured
    assert set(without) == {"stripes"}


def test_grey_and_y_differ_by_a_constant() -> None:
    levels = (HR * 255).round() / 255
    other = ((levels + 0.05).clamp(0, 1) * 255).round() / 255
    found = evaluate(["psnr_grey", "psnr_y"], sr=other, scale=2, hr=levels).measured
    difference = np.subtract(found["psnr_y"].values, found["psnr_grey"].values)
    np.testing.assert_allclose(difference, 20 * np.log10(255 / 219), atol=1e-6)
