"""Folders that configuration refers to. Imports nothing heavy."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def conf_dir() -> Path:
    """The Hydra config folder: inside the package when installed from a wheel, beside it in a checkout."""
    installed = _PACKAGE / "conf"
    return installed if installed.is_dir() else _PACKAGE.parent / "conf"


def data_root() -> Path:
    """Folder of the data sets: SR_LAB_DATA, else `../shared/data` beside the checkout."""
    return Path(os.environ.get("SR_LAB_DATA") or _PACKAGE.parent.parent / "shared" / "data").expanduser()
