"""The signature names what is computed, not where or how fast."""

from pathlib import Path
from typing import Any

import pytest

from sr_lab.config.compose import compose, to_plain
from sr_lab.config.signature import signature


def of(*overrides: str) -> str:
    return signature(to_plain(compose(list(overrides))))


BASE = ["experiment=dip_fkp", "dataset=set5"]


@pytest.mark.parametrize(
    "same",
    [
        "seed=3",
        "out=/elsewhere",
        "tracking=none",
        "trainer.devices=2",
        "trainer.threads=1",
        "force=true",
        "save_arrays=true",
        "+scene.view._target_=sr_lab.scenes.hyperspectral.render.Composite",
        "+method.option_of_tomorrow=null",
    ],
)
def test_is_blind_to(same: str) -> None:
    assert of(*BASE, same) == of(*BASE)


@pytest.mark.parametrize(
    "other",
    ["scale=2", "dataset.seed=2", "method.lr=1e-3", "prior=softmax", "dataset=set14", "degradation.phase=1"],
)
def test_sees(other: str) -> None:
    assert of(*BASE, other) != of(*BASE)


def test_travels_between_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    def at(root: str) -> Any:
        monkeypatch.setenv("SR_LAB_DATA", root)
        return of(*BASE)

    assert at("/data/a") == at("/mnt/b")


def test_sees_the_content_of_weights(tmp_path: Path) -> None:
    def at(content: bytes) -> str:
        (tmp_path / "flow.pt").write_bytes(content)
        return of(*BASE, f"prior.weights={tmp_path / 'flow.pt'}")

    assert at(b"one") == at(b"one")
    assert at(b"one") != at(b"two")


def test_sees_the_content_of_kernel_files_and_not_where_they_lie(tmp_path: Path) -> None:
    def at(folder: str, content: bytes) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "k.npy").write_bytes(content)
        return of("experiment=train_fkp_files", f"method.kernels.path={tmp_path / folder}")

    assert at("a", b"one") == at("b", b"one")
    assert at("a", b"one") != at("a", b"two")
