from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sr_lab.report.aggregate import group_runs
from sr_lab.report.collection import collect
from sr_lab.report.table import Cell, Table, _told_apart, build_table
from sr_lab.report.wording import ABSENT
from sr_lab.tracking.record import Measures


def _table(folder: Path) -> Table:
    return build_table(group_runs(collect(folder / "runs").runs))


def _cell(table: Table, title: str, column: str) -> Cell | None:
    (row,) = [row for row in table.rows if row.title == title]
    return row.cells[[c.name for c in table.columns].index(column)]


def test_only_labels_that_differ_are_columns(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("a", labels={"prior": "fkp", "backbone": "usrnet"})
    make_run("b", labels={"prior": "dkp"})
    table = _table(tmp_path)
    assert table.label_titles == ["prior", "backbone"]
    assert [row.labels for row in table.rows] == [["dkp", "–"], ["fkp", "usrnet"]]  # noqa: RUF001
    assert table.constants["scale"] == "×2"  # noqa: RUF001
    assert "prior" not in table.constants
    assert table.scope == "2 images, 1 seed"


def test_a_single_run_is_called_by_its_name(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("a", {"psnr_y": {"only": 25.0}}, name="first try")
    table = _table(tmp_path)
    assert (table.label_titles, table.rows[0].labels) == (["run"], ["first try"])
    cell = table.rows[0].cells[0]
    assert cell is not None
    assert (cell.mean, cell.interval, cell.best) == ("25.00", "", False)
    assert not any("interval" in line or "Bold" in line for line in table.reading)


def test_numbers_of_a_cell(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for seed, (a, b) in enumerate([(20.0, 30.0), (22.0, 34.0)]):
        make_run(f"s{seed}", {"psnr_y": {"a": a, "b": b} | ({} if seed else {"c": 25.0})}, seed=seed)
    (cell,) = _table(tmp_path).rows[0].cells
    assert cell is not None
    assert cell.mean == "26.00"  # (21 + 32 + 25) / 3
    assert cell.interval == "[0.26, 51.81]"  # of three images, of which two seeds share two
    assert cell.remarks == ["seed sd 2.121"]  # of 25 and 28, over the two images that both seeds have


def test_a_cell_tells_how_many_images_and_seeds_it_lacks(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    make_run("s0", {"psnr_y": {"a": 20.0, "b": 30.0}, "lpips": {"a": 0.5}})
    make_run("s1", {"psnr_y": {"a": 20.0, "b": 30.0}}, seed=1)
    _, lpips = _table(tmp_path).rows[0].cells
    assert lpips is not None
    assert lpips.remarks == ["1 of 2 images", "1 of 2 seeds"]


def test_best_follows_the_direction_of_the_metric(
    make_run: Callable[..., Path], measures: Callable[..., Measures], tmp_path: Path
) -> None:
    for prior, psnr, lpips in (("dkp", 25.0, 0.30), ("fkp", 26.0, 0.31), ("softmax", 26.001, 0.40)):
        lower = measures({"a": lpips}, higher_is_better=False, unit="")
        make_run(prior, {"psnr_y": {"a": psnr}, "lpips": lower}, labels={"prior": prior})
    table = _table(tmp_path)
    best = {row.title: [cell.best for cell in row.cells if cell] for row in table.rows}
    # 26.00 and 26.001 print the same: both are best
    assert best == {"dkp": [False, True], "fkp": [True, False], "softmax": [True, False]}
    assert [column.heading for column in table.columns] == ["PSNR Y (dB) ↑", "LPIPS ↓"]


def test_blocks_are_compared_within_only(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for dataset, gain in (("set5", 10.0), ("set14", 0.0)):
        for prior, psnr in (("dkp", 20.0), ("fkp", 21.0)):
            values = {"psnr_y": {"a": psnr + gain}}
            make_run(f"{dataset}_{prior}", values, labels={"dataset": dataset, "prior": prior})
    table = _table(tmp_path)
    assert [[row.labels for row in block.rows] for block in table.blocks] == [
        [["set14", "dkp"], ["set14", "fkp"]],
        [["set5", "dkp"], ["set5", "fkp"]],
    ]
    assert [cell.best for row in table.rows for cell in row.cells if cell] == [False, True, False, True]


def test_an_oracle_is_a_bound_and_not_the_best(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for prior, psnr in (("oracle", 30.0), ("fkp", 25.0), ("dkp", 24.0)):
        make_run(prior, {"psnr_y": {"a": psnr}}, labels={"prior": prior})
    table = _table(tmp_path)
    assert {row.title: row.cells[0].best for row in table.rows if row.cells[0]} == {
        "oracle": False,
        "fkp": True,
        "dkp": False,
    }
    assert any("Oracle" in line for line in table.reading)


def test_nothing_is_best_where_rows_measured_different_things(
    make_run: Callable[..., Path], measures: Callable[..., Measures], tmp_path: Path
) -> None:
    make_run("a", {"psnr_y": {"a": 20.0}, "ssim_y": measures({"a": 0.5}, protocol="border 4")})
    other = {"psnr_y": {"b": 25.0}, "ssim_y": measures({"a": 0.6}, protocol="border 0")}
    make_run("b", other, labels={"prior": "dkp"})
    table = _table(tmp_path)
    assert not any(cell.best for row in table.rows for cell in row.cells if cell)
    assert [warning.split(":")[0] for warning in table.warnings] == ["PSNR Y", "SSIM Y"]
    assert "different images" in table.warnings[0]
    assert "different protocols" in table.warnings[1]
    assert table.columns[1].protocols == [("border 0", "dkp"), ("border 4", "fkp")]


def test_rows_of_a_protocol_are_named_by_the_label_that_tells_them_apart() -> None:
    both = [[{"set": "5", "scale": "x2"}, {"set": "14", "scale": "x2"}], [{"set": "5", "scale": "x4"}]]
    assert _told_apart(both) == ["x2", "x4"]
    assert _told_apart(both[:1]) == [""]
    mixed = [[{"set": "5", "scale": "x2"}], [{"set": "5", "scale": "x4"}, {"set": "14", "scale": "x2"}]]
    assert _told_apart(mixed) == ["5 · x2", "5 · x4; 14 · x2"]


def test_the_floor_stands_beside_kernel_psnr(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("a", {"kernel_psnr": {"a": 50.0, "b": 51.0}, "kernel_psnr_zero": {"a": 41.0, "b": 42.0}})
    table = _table(tmp_path)
    assert [column.name for column in table.columns] == ["kernel_psnr"]
    (cell,) = table.rows[0].cells
    assert cell is not None
    assert cell.remarks == ["zero kernel 41.50"]
    # a floor says nothing about a run that estimates no kernel
    make_run("a", {"psnr_y": {"a": 20.0}, "kernel_psnr_zero": {"a": 41.0}})
    assert [column.name for column in _table(tmp_path).columns] == ["psnr_y"]


def test_bicubic_is_a_row_where_all_rows_agree_on_it(make_run: Callable[..., Path], tmp_path: Path) -> None:
    shared = {"psnr_y@bicubic": {"a": 24.5}, "ssim_y@bicubic": {"a": 0.5}}
    make_run("a", {"psnr_y": {"a": 26.0}, "ssim_y": {"a": 0.6}, "psnr_y@dip": {"a": 25.5}, **shared})
    changed = shared | {"ssim_y@bicubic": {"a": 0.7}}
    make_run("b", {"psnr_y": {"a": 27.0}, "ssim_y": {"a": 0.8}, **changed}, labels={"prior": "dkp"})
    table = _table(tmp_path)
    (block,) = table.blocks
    assert (block.baseline_labels, block.baseline) == (["bicubic reference"], ["24.50", ""])
    psnr, ssim = _cell(table, "fkp", "psnr_y"), _cell(table, "fkp", "ssim_y")
    assert psnr is not None
    assert ssim is not None
    assert (psnr.baseline, psnr.remarks) == ("", ["dip 25.50"])
    assert ssim.baseline == "0.50"
    assert [column.name for column in table.columns] == ["psnr_y", "ssim_y"]
    assert {"Bicubic", "Beside dip"} <= {line.partition(":")[0] for line in table.reading}


def test_runs_without_ground_truth_still_have_a_row(make_run: Callable[..., Path], tmp_path: Path) -> None:
    from sr_lab.tracking.record import ImageFiles

    make_run("a", {}, images={"a": ImageFiles(seconds=2.0)})
    table = _table(tmp_path)
    assert table.columns == []
    assert table.rows[0].facts == ["2.00", "512"]
    assert table.reading == ["No metric was measured: the images have no ground truth."]


def test_equal_labels_are_told_apart_by_their_settings(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for rate in (0.1, 0.5):
        config = {
            "seed": 0,
            "out": f"runs/{rate}",
            "prior": {"name": "fkp", "lr": rate},
            "trainer": {"threads": rate},
        }
        make_run(f"r{rate}", signature=f"{rate}", config=config)
    table = _table(tmp_path)
    assert table.label_titles == ["prior.lr"]
    assert [row.title for row in table.rows] == ["0.1", "0.5"]


def test_members_of_a_list_are_settings_by_their_place(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for level in (0.0, 0.1):
        config = {"seed": 0, "degradation": {"corruptions": [{"kind": "noise", "high": level}]}}
        make_run(f"r{level}", signature=f"{level}", config=config)
    assert _table(tmp_path).label_titles == ["degradation.corruptions.0.high"]


def test_of_many_settings_those_that_tell_rows_apart(make_run: Callable[..., Path], tmp_path: Path) -> None:
    """Two kinds of guidance, one of them with settings of its own that mostly go together."""
    more = {"rho": 0.5, "through": "latent", "blocks": 4, "weights": "net"}
    kinds: list[Any] = [
        {"kind": "none"},
        {"kind": "in", "sign": "a"} | more,
        {"kind": "in", "sign": "b"} | more,
    ]
    for index, guidance in enumerate(kinds):
        make_run(f"r{index}", signature=f"{index}", config={"seed": 0, "method": {"guidance": guidance}})
    table = _table(tmp_path)
    assert table.label_titles == ["method.guidance.sign"]
    assert sorted(row.title for row in table.rows) == ["a", "b", ABSENT]


def test_else_by_name_else_by_signature(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("a", signature="aaaaaaaaaaaa", name="one")
    make_run("b", signature="bbbbbbbbbbbb", name="two")
    assert _table(tmp_path).label_titles == ["run"]
    make_run("b", signature="bbbbbbbbbbbb", name="one")
    table = _table(tmp_path)
    assert (table.label_titles, [row.title for row in table.rows]) == (
        ["signature"],
        ["aaaaaaaa", "bbbbbbbb"],
    )


def test_settings_that_come_with_a_class_are_no_columns(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    for name, own in (("Gauss", {"variance": 1}), ("Line", {"length": 3})):
        config = {"prior": {"kernels": {"_target_": f"sr_lab.some.where.{name}", **own}}}
        make_run(name, {"psnr_y": {"a": 20.0}}, config=config, signature=f"{name:0>16}")
    table = _table(tmp_path)
    assert table.label_titles == ["prior.kernels"]
    assert [row.labels for row in table.rows] == [["Gauss"], ["Line"]]
