"""A folder to sweep in."""

from pathlib import Path

import pytest
from sweeping import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)
