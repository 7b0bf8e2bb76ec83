from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sr_lab.report.latex import escape
from sr_lab.report.render import Report, write_report


@pytest.fixture
def report(make_run: Callable[..., Path], tmp_path: Path) -> Report:
    """A baseline, one that is clearly better, and one that is level with that."""
    noise = np.random.default_rng(0).normal(0, 0.05, 10)
    for prior, gain in (("fkp", 0.0), ("d_k&p%", 3.0), ("soft^~\\{}#$", 2.985)):
        values = {f"i{n}": 20.0 + n + gain + float(noise[n]) * (gain == 3.0) for n in range(10)}
        make_run(prior[:1], {"psnr_y": values, "lpips": values}, labels={"prior": prior})
    return write_report(tmp_path / "runs", baseline={"prior": "fkp"})


def test_best_is_bold_and_what_is_level_underlined(report: Report) -> None:
    text = report.latex.read_text(encoding="utf-8")
    bold, underlined = re.findall(r"\\textbf\{([\d.]+)\}", text), re.findall(r"\\underline\{([\d.]+)\}", text)
    assert len(bold) == len(underlined) == 2
    assert not any("24.5" in cell for cell in bold + underlined)  # the baseline is worse
    assert "Underlined: not significantly worse" in text
    assert "Y, border 2" in text
    assert text.count(r"\toprule") == 2
    assert "better" in text.partition("tab:comparison")[2]


def test_every_row_has_the_same_cells(report: Report) -> None:
    lines = [line for line in report.latex.read_text("utf-8").splitlines() if line.endswith(r"\\")]
    counts = [len(re.findall(r"(?<!\\)&", line)) for line in lines]
    assert len(set(counts)) == 2  # one number for each of the two tables


def test_what_latex_would_read_is_escaped() -> None:
    assert escape("50% of a_b & `c`, ×2") == r"50\% of a\_b \& c, $\times$2"  # noqa: RUF001
    assert escape("\\^~") == r"\textbackslash{}\textasciicircum{}\textasciitilde{}"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_it_compiles(report: Report, tmp_path: Path) -> None:
    head = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (tmp_path / "page.tex").write_text(
        head + report.latex.read_text("utf-8") + "\\end{document}\n", encoding="utf-8"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "page.log").read_text(errors="replace")
