import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from urllib.error import URLError

import pytest
import torch

from sr_lab.errors import UserError
from sr_lab.metrics import Protocol, perceptual
from sr_lab.metrics.image import psnr
from sr_lab.metrics.perceptual import MetricUnavailable

CONFIGS = {
    "lpips": {"metric_mode": "FR", "lower_better": True},
    "musiq": {"metric_mode": "NR"},
    "fid": {"metric_mode": "NR", "lower_better": True},
}


@pytest.fixture(autouse=True)
def _fresh_cache():
    perceptual._model.cache_clear()
    yield
    perceptual._model.cache_clear()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch):
    """Stand-ins for pyiqa and huggingface_hub; `build` is what create_metric does, `seen` what it saw."""
    state = SimpleNamespace(build=None, built=0, seen=[])

    def create_metric(name: str, device: torch.device):
        state.built += 1
        torch.rand(3)
        state.seen.append(dict(os.environ))
        state.offline = constants.HF_HUB_OFFLINE
        print("Downloading")
        return state.build(name)

    pyiqa, configs = ModuleType("pyiqa"), ModuleType("pyiqa.default_model_configs")
    hub, constants = ModuleType("huggingface_hub"), ModuleType("huggingface_hub.constants")
    vars(pyiqa).update(create_metric=create_metric, __version__="9.9", default_model_configs=configs)
    vars(configs).update(DEFAULT_CONFIGS=CONFIGS)
    vars(constants).update(HF_HUB_OFFLINE=False)
    vars(hub).update(constants=constants)
    for module in (pyiqa, configs, hub, constants):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    state.constants = constants
    return state


def test_without_pyiqa_there_is_a_note_and_no_crash(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    reason = perceptual.available("lpips")
    assert reason is not None
    assert "pyiqa is not installed" in reason
    assert "pip install 'sr-lab[pyiqa]'" in reason
    assert "\n" not in reason
    with pytest.raises(MetricUnavailable, match="not installed"):
        perceptual.perceptual("musiq", torch.zeros(1, 3, 8, 8))


def test_facts_come_from_pyiqa(fake: SimpleNamespace):
    facts = perceptual.facts("lpips")
    assert (facts.higher_is_better, facts.needs_hr, facts.version) == (False, True, "9.9")
    facts = perceptual.facts("musiq")
    assert (facts.higher_is_better, facts.needs_hr) == (True, False)


@pytest.mark.parametrize("name", ["lpisp", "fid"])
def test_unknown_scores_and_scores_of_sets_are_refused(fake: SimpleNamespace, name: str):
    with pytest.raises(UserError, match="no image score called") as caught:
        perceptual.available(name)
    assert "lpips" in caught.value.fix
    assert "fid" not in caught.value.fix


def test_missing_weights_are_a_note_and_looked_for_once(
    fake: SimpleNamespace, capsys: pytest.CaptureFixture[str]
):
    def build(name: str):
        raise URLError("connection refused")

    fake.build = build
    for _ in range(2):
        with pytest.raises(MetricUnavailable, match="weights of pyiqa:musiq are not on this machine"):
            perceptual.perceptual("musiq", torch.zeros(1, 3, 8, 8))
    assert fake.built == 1
    assert capsys.readouterr().out == ""


def test_set_up_is_sealed_and_leaves_no_trace(fake: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("http_proxy", raising=False)
    before, state = dict(os.environ), torch.get_rng_state()

    def build(name: str):
        raise ValueError("two\nlines")

    fake.build = build
    assert perceptual.available("lpips") == "pyiqa:lpips cannot be set up (ValueError: two)"
    inside = fake.seen[0]
    assert inside["http_proxy"] == inside["https_proxy"] == "http://127.0.0.1:9"
    assert inside["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] == "1"
    assert fake.offline is True
    assert fake.constants.HF_HUB_OFFLINE is False
    assert dict(os.environ) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_scores_images_one_by_one_as_8_bit_rgb(fake: SimpleNamespace):
    fake.build = lambda name: lambda sr, hr: (sr.mean() - hr.mean()).reshape(1, 1)
    sr, hr = torch.full((2, 1, 8, 8), 0.5), torch.zeros(2, 1, 8, 8)
    sr[1] = 3.0
    scores = perceptual.perceptual("lpips", sr, hr)
    torch.testing.assert_close(scores, torch.tensor([128 / 255, 1.0]).double())
    shapes = []
    fake.build = lambda name: lambda sr: shapes.append(tuple(sr.shape)) or torch.tensor(0.0)
    perceptual.perceptual("musiq", sr, hr)
    assert shapes == [(1, 3, 8, 8), (1, 3, 8, 8)]


@pytest.mark.parametrize("shape", [(1, 31, 8, 8), (1, 3, 8, 9)])
def test_images_that_cannot_be_scored_are_a_note(fake: SimpleNamespace, shape: tuple[int, ...]):
    with pytest.raises(MetricUnavailable, match="HR of the same size"):
        perceptual.perceptual("lpips", torch.zeros(shape), torch.zeros(1, 3, 8, 8))


def test_a_network_that_fails_on_an_image_is_a_note(fake: SimpleNamespace):
    def score(sr: torch.Tensor):
        raise RuntimeError("kernel larger than image\nand more")

    fake.build = lambda name: score
    with pytest.raises(
        MetricUnavailable, match=r"failed on a 8x8 image \(RuntimeError: kernel larger than image\)"
    ):
        perceptual.perceptual("musiq", torch.zeros(1, 3, 8, 8))


@pytest.mark.skipif(importlib.util.find_spec("pyiqa") is None, reason="pyiqa is not installed")
def test_real_pyiqa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    sr, hr = torch.rand(2, 1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        perceptual.perceptual("psnr", sr, hr),
        psnr(sr, hr, Protocol("rgb", 0, "8bit", 255.0)),
        rtol=1e-4,
        atol=0,
    )
    assert perceptual.facts("gmsd").higher_is_better is False
    assert perceptual.available("gmsd") is None
    reason = perceptual.available("lpips")
    assert reason is not None
    assert "are not on this machine" in reason
