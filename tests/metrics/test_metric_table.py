import sys
from typing import Any

import pytest
import torch

from sr_lab.errors import UserError
from sr_lab.metrics import METRICS, Protocol, check_names, evaluate
from sr_lab.metrics import kernel as kernels
from sr_lab.metrics.image import aligned_psnr, psnr, ssim
from sr_lab.metrics.table import _search

NATURAL = [name for name, metric in METRICS.items() if "natural" in metric.scenes]
COLOUR = [name for name, metric in METRICS.items() if metric.scenes not in (("infrared",), ("sar",))]
Batch = dict[str, Any]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(2, 3, 32, 36, generator=generator)
    sr = hr + 0.05 * torch.randn(hr.shape, generator=generator)
    kernel, true_kernel = torch.rand(2, 2, 1, 11, 11, generator=generator)
    return {"sr": sr, "hr": hr, "kernel": kernel / 60, "true_kernel": true_kernel / 60}


def test_all_metrics_are_what_their_protocol_says(batch: Batch):
    result = evaluate(NATURAL, scale=2, **batch)
    assert result.notes == []
    assert list(result.measured) == NATURAL
    sr, hr, kernel, truth = batch.values()
    published, rgb = Protocol.published(2), Protocol.rgb(2)
    expected = {
        "psnr_y": psnr(sr, hr, published),
        "ssim_y": ssim(sr, hr, published),
        "psnr_rgb": psnr(sr, hr, rgb),
        "ssim_rgb": ssim(sr, hr, rgb),
        "psnr_y_aligned": aligned_psnr(sr, hr, published, 1).psnr,
        "kernel_psnr": kernels.kernel_psnr(kernel, truth),
        "kernel_psnr_aligned": kernels.aligned_kernel_psnr(kernel, truth),
        "kernel_psnr_zero": kernels.zero_kernel_floor(truth),
        "kernel_offset": kernels.centre_of_mass_offset(kernel, truth).norm(dim=1),
    }
    assert {name: m.values for name, m in result.measured.items()} == {
        k: v.tolist() for k, v in expected.items()
    }
    assert result.measured["psnr_y"].protocol == published.describe()
    assert result.measured["ssim_rgb"].protocol == rgb.describe()
    assert "border 3, " in result.measured["psnr_y_aligned"].protocol
    assert [name for name in NATURAL if not METRICS[name].higher_is_better] == ["kernel_offset"]
    assert [name for name in NATURAL if METRICS[name].unit == ""] == ["ssim_y", "ssim_rgb"]


def test_aligned_row_reaches_the_other_anchor():
    assert [_search(scale) for scale in (1, 2, 3, 4)] == [1, 1, 2, 3]


def test_metrics_without_their_truth_are_left_out(batch: Batch):
    def measured(*absent: str):
        given: dict[str, Any] = {name: tensor for name, tensor in batch.items() if name not in absent}
        return set(evaluate(COLOUR, scale=2, **given).measured)

    def expected(*absent: str):
        given = set(batch) - set(absent)
        return {name for name in COLOUR if given >= set(METRICS[name].needs)}

    for absent in ((), ("hr",), ("kernel",), ("true_kernel",), ("hr", "kernel", "true_kernel")):
        assert measured(*absent) == expected(*absent), absent
    assert "kernel_psnr_zero" in measured("kernel")
    assert measured("hr", "kernel", "true_kernel") == set()


def test_unknown_name_is_refused_with_the_nearest(batch: Batch):
    with pytest.raises(UserError, match="no metric called 'psnry'") as caught:
        evaluate(["psnr_y", "psnry"], scale=2, **batch)
    assert "did you mean psnr_y?" in caught.value.fix
    assert "kernel_psnr_aligned" in caught.value.fix


def test_pyiqa_that_is_not_installed_is_a_note(batch: Batch, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    check_names(["pyiqa:lpips"])
    result = evaluate(["pyiqa:lpips", "psnr_y"], scale=2, **batch)
    assert list(result.measured) == ["psnr_y"]
    assert len(result.notes) == 1
    assert result.notes[0].startswith("pyiqa:lpips left out: pyiqa is not installed; ")


def test_pyiqa_score_brings_its_own_facts(batch: Batch):
    pytest.importorskip("pyiqa")
    result = evaluate(["pyiqa:gmsd"], scale=2, **batch)
    assert result.notes == []
    gmsd = result.measured["pyiqa:gmsd"]
    assert (len(gmsd.values), gmsd.higher_is_better) == (2, False)
    assert gmsd.protocol.startswith("pyiqa ")
    assert evaluate(["pyiqa:gmsd"], scale=2, sr=batch["sr"]).measured == {}
    with pytest.raises(UserError, match="no image score called 'gsmd'"):
        check_names(["pyiqa:gsmd"])
