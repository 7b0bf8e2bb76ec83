from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sr_lab.report.aggregate import group_runs
from sr_lab.report.collection import collect
from sr_lab.report.table import build_table
from sr_lab.report.training import Training, training_curves


def _curves(folder: Path) -> Training:
    return training_curves(build_table(group_runs(collect(folder / "runs").runs)))


def test_every_fitted_run_has_a_line(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for seed in (0, 1):
        folder = make_run(f"s{seed}", {}, seed=seed) / "curves"
        folder.mkdir()
        (folder / "metrics.csv").write_text(
            "epoch,l1,step,val_psnr\n0,0.5,10,\n0,,20,26.5\n1,0.4,20,\n", encoding="utf-8"
        )
    make_run("zero-shot", labels={"prior": "dkp"})
    found = _curves(tmp_path)
    assert [chart.title for chart in found.charts] == ["L1 against step", "Val PSNR against step"]
    assert [entry.name for entry in found.legend] == ["fkp · seed 0", "fkp · seed 1"]
    assert str(found.charts[0].svg).count('class="line') == 2
    assert found.faults == []


def test_curves_kept_in_a_study_are_found_and_broken_ones_named(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_run("kept", {})
    (folder / "curves.csv").write_text("loss\n1\n", encoding="utf-8")
    found = _curves(tmp_path)
    assert found.charts == []
    assert found.faults == ["kept/curves.csv: no column `step`"]
