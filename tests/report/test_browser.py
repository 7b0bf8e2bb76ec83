"""The page of a 2 x 2 x 3-seed grid in a real browser: console, width, keyboard, print, size."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from sr_lab.report.render import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDE = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "kernel_psnr", "kernel_psnr_aligned", "kernel_offset")
PROBE = """<script>
document.querySelectorAll("button.enlarge")[2].click();
const dialog = document.getElementById("zoom"), said = [dialog.open, dialog.querySelector("p").textContent];
const press = (key) => dialog.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
press("ArrowRight"); said.push(dialog.querySelector("p").textContent);
press("ArrowLeft"); press("ArrowLeft"); press("ArrowLeft"); press("ArrowLeft");
said.push(dialog.querySelector("p").textContent);
dialog.close();
dialog.addEventListener("close", () => {
  said.push(document.activeElement.className, document.documentElement.scrollWidth <= innerWidth);
  document.title = said.join("|");
});
</script></body>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture
def page(make_run: Callable[..., Path], tmp_path: Path) -> Path:
    """The report of 12 runs with pictures of four images."""
    for number, (prior, steps, seed) in enumerate(product(("double_dip", "fkp"), (20, 60), (0, 1, 2))):
        make_run(
            f"{prior}{steps}s{seed}",
            {name: dict.fromkeys("abcd", 25.0 + number % 5) for name in WIDE},
            labels={"prior": prior},
            config={"method": {"iterations": steps}},
            signature=f"{steps:016}",
            seed=seed,
            pictures=True,
        )
    return write_report(tmp_path / "runs", baseline={"prior": "fkp", "method.iterations": "20"}).html


def _open(page: Path, profile: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={profile}", "--virtual-time-budget=3000", "--enable-logging=stderr",
        *flags, page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def test_the_console_is_silent_and_nothing_is_asked_for(page: Path, tmp_path: Path) -> None:
    assert page.stat().st_size < 3_000_000
    log = tmp_path / "net.json"
    done = _open(page, tmp_path / "profile", "--dump-dom", f"--log-net-log={log}")
    assert "CONSOLE" not in done.stderr
    assert 'class="js"' in done.stdout  # the script ran under the page's own policy
    # what Chromium asks of its maker has no initiator; what a page asks has
    assert not re.findall(r'"initiator":"(?!not an origin)[^"]*"', log.read_text(errors="replace"))


@pytest.mark.parametrize("width", [1200, 500])
def test_pictures_enlarge_by_keyboard_and_the_page_fits(page: Path, tmp_path: Path, width: int) -> None:
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text("utf-8"))
    probed = tmp_path / "probed.html"
    probed.write_text(text.replace("</body>", PROBE), encoding="utf-8")
    done = _open(probed, tmp_path / "profile", f"--window-size={width},900", "--dump-dom")
    (title,) = re.findall("<title>(.*?)</title>", done.stdout[:100_000])[:1]
    opened, third, fourth, last, focus, fits = title.split("|")
    assert (opened, fits) == ("true", "true")
    assert [text.partition(":")[0] for text in (third, fourth, last)] == ["3 / 8", "4 / 8", "8 / 8"]
    assert focus == "enlarge"


def test_it_prints(page: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.pdf"
    _open(page, tmp_path / "profile", f"--print-to-pdf={out}")
    assert out.read_bytes().startswith(b"%PDF")
