from __future__ import annotations

import base64
import csv
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from sr_lab.errors import UserError
from sr_lab.report.render import Report, write_report
from sr_lab.tracking.record import Measures, Record

VOID = {"meta", "img", "br", "hr", "input", "link"}


class _Page(HTMLParser):
    """Checks nesting on the way, and gathers what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & {*self.open}:
            self.text += " ".join(data.split()) + " "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def _page(report: Report) -> _Page:
    return _Page(report.html.read_text(encoding="utf-8"))


@pytest.fixture
def report(make_run: Callable[..., Path], tmp_path: Path) -> Report:
    """Two priors, one of them with two seeds, on two images; one broken record."""
    for prior, seed, gain in (("fkp", 0, 0.0), ("fkp", 1, 2.0), ("dkp", 0, -5.0)):
        metrics = {
            "psnr_y": {"a": 20.0 + gain, "b": 30.0 + gain},
            "kernel_psnr": {"a": 50.0, "b": 51.0},
            "kernel_psnr_zero": {"a": 41.0, "b": 42.0},
        }
        make_run(
            f"{prior}{seed}",
            metrics,
            seed=seed,
            labels={"prior": prior},
            pictures=True,
            notes=["LPIPS left out."],
        )
    bad = tmp_path / "runs" / "bad" / "result.json"
    bad.parent.mkdir()
    bad.write_text("{", encoding="utf-8")
    return write_report(tmp_path / "runs")


def test_the_page_is_one_file_that_opens_offline(report: Report) -> None:
    page = _page(report)
    assert {attributes["src"][:11] for attributes in page.all("img")} == {"data:image/", "data:,"}  # type: ignore[index]
    assert all(attributes["href"].startswith("#") for attributes in page.all("a"))  # type: ignore[union-attr]
    assert not page.all("link")
    assert page.all("script") == [{}]
    (policy,) = [a["content"] for a in page.all("meta") if a.get("http-equiv")]
    script = re.findall("<script>(.*?)</script>", report.html.read_text(encoding="utf-8"), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy
    text = report.html.read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_the_page_is_made_for_all_readers(report: Report) -> None:
    page = _page(report)
    assert page.all("html") == [{"lang": "en"}]
    assert all(attributes["alt"] for attributes in page.all("img") if attributes["src"] != "data:,")
    assert {attributes.get("scope") for attributes in page.all("th")} == {"row", "col"}
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert headings.count(1) == 1
    assert all(low - high <= 1 for high, low in pairwise(headings))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a]
    targets = [attributes["href"].removeprefix("#") for attributes in page.all("a")]  # type: ignore[union-attr]
    assert {*named, *targets} <= set(ids)
    style = report.html.read_text(encoding="utf-8").partition("</style>")[0]
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style


def test_the_page_tells_what_was_run_and_how_to_repeat_it(report: Report) -> None:
    text = _page(report).text
    for said in (
        "3 runs of 2 configurations, 2 images, 1 to 2 seeds each",
        "26.00 (best)",  # (21 + 31) / 2
        "zero kernel 41.50",
        "Y, border 2",
        "LPIPS left out.",
        "sr-lab run prior=fkp seed=1",
        "torch 2.14.1",
        "0123456789",
        "bad/result.json",
        "2026-11-20",
    ):
        assert said in text, said


def test_the_same_records_give_the_same_bytes(report: Report, tmp_path: Path) -> None:
    again = write_report(tmp_path / "runs", tmp_path / "other" / "place")
    assert again.html.read_bytes() == report.html.read_bytes()
    assert again.csv.read_bytes() == report.csv.read_bytes()


def test_names_cannot_become_markup(make_run: Callable[..., Path], tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>|`*'
    make_run("a", {"psnr_y": {evil: 20.0}}, labels={"prior": evil}, pictures=True, notes=[evil], command=evil)
    make_run("b", {"psnr_y": {evil: 21.0}}, pictures=True, device=evil)
    report = write_report(tmp_path / "runs")
    page = _page(report)
    assert page.all("script") == [{}]
    assert evil in page.text
    lines = report.markdown.read_text(encoding="utf-8").splitlines()
    outside = [line for line, code in zip(lines, _in_fence(lines), strict=True) if not code]
    assert not any("<script" in line for line in outside)
    table = [line for line in lines if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def _in_fence(lines: list[str]) -> list[bool]:
    inside, marks = False, []
    for line in lines:
        fence = line.startswith("```")
        marks.append(inside or fence)
        inside = inside != fence
    return marks


def test_markdown_has_the_table(report: Report) -> None:
    lines = report.markdown.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start : start + 4]]
    assert rows[0] == ["prior", "PSNR Y (dB) ↑", "Kernel PSNR (dB) ↑", "seeds", "s / image", "peak MB"]
    assert rows[1] == ["---", "---:", "---:", "---:", "---:", "---:"]
    assert [row[0] for row in rows[2:]] == ["dkp", "fkp"]
    assert rows[3][1].startswith("**26.00**; seed sd 1.414")
    assert rows[2][2].startswith("**50.50**")
    assert "zero kernel 41.50" in rows[2][2]
    assert not any(line.startswith("##") and not line[3:].strip() for line in lines)


def test_markdown_shows_figures_that_exist(make_run: Callable[..., Path], tmp_path: Path) -> None:
    from sr_lab.tracking.record import ImageFiles

    folder = make_run(
        "a b", images={"x": ImageFiles(1.0, figure="x/f.png"), "y": ImageFiles(1.0, figure="gone.png")}
    )
    (folder / "x").mkdir()
    (folder / "x" / "f.png").touch()
    text = write_report(tmp_path / "runs", tmp_path / "out").markdown.read_text(encoding="utf-8")
    assert re.findall(r"!\[.*\]\(<(.*)>\)", text) == ["../runs/a b/x/f.png"]


def test_csv_says_all_that_the_records_say(report: Report, tmp_path: Path) -> None:
    with report.csv.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(row["run"], row["image"], row["metric"]): row for row in rows}
    assert len(found) == len(rows) == 3 * 2 * 3
    for path in (tmp_path / "runs").glob("*[01]"):
        record = Record.read(path)
        for metric, measures in record.metrics.items():
            for image, value in measures.per_image.items():
                row = found[path.name, image, metric]
                assert float(row["value"]) == value
                assert (row["protocol"], row["unit"], row["seed"]) == ("Y, border 2", "dB", str(record.seed))
                assert row["prior"] == record.labels["prior"]
                assert float(row["seconds"]) == 1.5


def test_a_metric_of_the_whole_set_has_a_csv_line(
    make_run: Callable[..., Path], measures: Callable[..., Measures], tmp_path: Path
) -> None:
    make_run("a", {"fid": measures({}, mean=12.5)})
    with write_report(tmp_path / "runs").csv.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["image"], row["metric"], row["value"]) == ("", "fid", "12.5")


def test_a_single_image_has_no_interval(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("a", {"psnr_y": {"x": 25.0}}, pictures=True)
    page = _page(write_report(tmp_path / "runs"))
    assert "25.00" in page.text
    assert "[25" not in page.text
    assert "interval" not in page.text


def test_runs_that_measured_nothing_are_reported(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("training", {}, fit={"steps": 100.0})
    report = write_report(tmp_path / "runs")
    text = _page(report).text
    assert "No metric was measured." in text
    assert "steps 100" in text
    assert len(report.csv.read_text(encoding="utf-8").splitlines()) == 1


def test_what_makes_numbers_doubtful_is_said(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("old", created="2026-01-01")
    make_run("new")
    make_run("other", labels={"prior": "dkp"}, code={"commit": "ffff", "dirty": True}, device="H100")
    text = _page(write_report(tmp_path / "runs")).text
    assert "old is the same run as new" in text
    assert "1 run of 2 used code that was not committed: other." in text
    assert "2 commits" in text
    assert "different devices (H100, cpu)" in text


def test_no_records_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no record"):
        write_report(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
