from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from sr_lab.cli import app
from sr_lab.errors import UserError
from sr_lab.tracking.dashboard import build

RUNNER = CliRunner()


def _panels(node: Any) -> Iterator[dict[str, Any]]:
    """Every panel, wherever it sits."""
    if isinstance(node, dict):
        if "viewType" in node and "config" in node:
            yield node
        for value in node.values():
            yield from _panels(value)
    elif isinstance(node, list):
        for value in node:
            yield from _panels(value)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside wandb-workspaces
def test_show_prints_workspace_and_report_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb_workspaces", reason="the extra `dashboards` is not installed")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    result = RUNNER.invoke(app, ["dashboard", "--show", "--project", "lab", "--metric", "psnr_y"])
    assert result.exit_code == 0, result.output
    made = json.loads(result.output)
    for part in ("workspace", "report"):
        panels = list(_panels(made[part]))
        assert {"Bar Chart", "Scatter Plot", "Run History Line Plot", "Media Browser", "Run Comparer"} <= {
            panel["viewType"] for panel in panels
        }
        text = json.dumps(panels)
        for key in ("psnr_y", "optimisation/loss", "kernels/*", "images/*", "seconds_per_image", "prior"):
            assert key in text, key
    assert "ssim_y" not in result.output


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    with pytest.raises(UserError, match=r"sr-lab\[dashboards\]"):
        build("p", "", ["psnr_y"])
