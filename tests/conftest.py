"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("WANDB_MODE", "offline")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """The data folder, or a skip that says how to have it."""
    root = Path(os.environ.get("SR_LAB_DATA") or ROOT.parent / "shared" / "data")
    if not root.is_dir():
        pytest.skip(f"no data folder at {root}; set SR_LAB_DATA")
    return root


@pytest.fixture(scope="session")
def published_weights(data: Path) -> Path:
    """Folder with the published checkpoints, beside the data folder."""
    folder = data.parent / "weights"
    if not folder.is_dir():
        pytest.skip(f"no published weights at {folder}")
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tests are small: waking a second thread takes longer than their arithmetic."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_weights_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither see nor change the person's imported weights."""
    monkeypatch.setenv("SR_LAB_WEIGHTS", str(tmp_path / "weights"))
