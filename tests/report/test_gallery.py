from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sr_lab.io.images import read_image, write_image
from sr_lab.report import gallery
from sr_lab.report.aggregate import group_runs
from sr_lab.report.collection import collect
from sr_lab.report.gallery import Exhibit, Gallery, build_gallery
from sr_lab.report.table import build_table
from sr_lab.report.wording import TIMES
from sr_lab.tracking.record import ImageFiles


def _gallery(folder: Path) -> Gallery:
    return build_gallery(build_table(group_runs(collect(folder / "runs").runs)))


def _decoded(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"))


def _titles(exhibit: Exhibit) -> list[str]:
    return [tile.title for tile in exhibit.tiles]


def test_runs_on_the_same_image_stand_side_by_side(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for prior in ("fkp", "dkp"):
        metrics = {"psnr_y": {"x": 25.0}, "psnr_y@bicubic": {"x": 24.0}, "kernel_psnr": {"x": 50.0}}
        make_run(prior, metrics, labels={"prior": prior}, pictures=True)
    (exhibit,) = _gallery(tmp_path).exhibits
    assert exhibit.image_id == "x"
    assert _titles(exhibit) == ["whole image", "LR", "bicubic", "dkp", "fkp", "HR"]
    assert exhibit.tiles[2].lines == ["PSNR Y 24.00 dB"]
    assert exhibit.tiles[3].lines == ["PSNR Y 25.00 dB"]
    assert [tile.title for tile in exhibit.kernels] == ["true kernel", "dkp", "fkp"]
    assert exhibit.kernels[1].lines[0] == "Kernel PSNR 50.00 dB"
    assert [entry.name for entry in exhibit.legend] == ["dkp", "fkp"]
    assert [chart.title for chart in exhibit.charts] == ["Loss against iteration", "PSNR Y against iteration"]
    assert exhibit.faults == []


def test_tiles_are_exact_cuts_of_the_same_place(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("a", {"psnr_y": {"x": 25.0}}, pictures=True)
    folder = tmp_path / "runs" / "a" / "image0"
    large = np.random.default_rng(0).random((160, 200, 3), dtype=np.float32)
    for kind in ("sr", "hr", "bicubic"):
        large[..., 0] = {"sr": 0.2, "hr": 0.4, "bicubic": 0.6}[kind]
        write_image(folder / f"{kind}.png", large)
    write_image(folder / "lr.png", large[::2, ::2])
    (exhibit,) = _gallery(tmp_path).exhibits
    cuts = {tile.title: _decoded(tile.address) for tile in exhibit.tiles}
    sr = np.rint(read_image(folder / "sr.png").pixels * 255)
    places = [
        (top, left)
        for top in range(160 - 127)
        for left in range(200 - 127)
        if (sr[top : top + 128, left : left + 128] == cuts["study"]).all()
    ]
    ((top, left),) = places
    hr = np.rint(read_image(folder / "hr.png").pixels * 255)
    assert (cuts["HR"] == hr[top : top + 128, left : left + 128]).all()
    lr = np.rint(read_image(folder / "lr.png").pixels * 255)
    assert (cuts["LR"] == lr[top // 2 : top // 2 + 64, left // 2 : left // 2 + 64]).all()


def test_lr_of_two_factors_is_stretched_to_the_others_shape(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    make_run("a", {"psnr_y": {"x": 25.0}}, pictures=True)
    folder = tmp_path / "runs" / "a" / "image0"
    coarse = np.random.default_rng(0).random((40, 100, 3), dtype=np.float32)
    for kind in ("sr", "hr", "bicubic"):
        write_image(folder / f"{kind}.png", coarse.repeat(4, axis=0).repeat(2, axis=1))
    write_image(folder / "lr.png", coarse)
    (exhibit,) = _gallery(tmp_path).exhibits
    tiles = {tile.title: tile for tile in exhibit.tiles}
    lr, hr = (_decoded(tiles[title].address) for title in ("LR", "HR"))
    assert (lr.shape, hr.shape) == ((64, 64, 3), (128, 128, 3))
    assert (lr.repeat(2, axis=0).repeat(2, axis=1) == hr).all()
    assert tiles["LR"].lines == [f"100 {TIMES} 40, {TIMES}4 down, {TIMES}2 across"]


def test_the_first_seed_stands_for_a_configuration(make_run: Callable[..., Path], tmp_path: Path) -> None:
    for seed in (3, 1):
        make_run(f"s{seed}", {"psnr_y": {"x": float(seed)}}, seed=seed, pictures=True)
    (exhibit,) = _gallery(tmp_path).exhibits
    assert _titles(exhibit) == ["whole image", "LR", "bicubic", "study", "HR"]
    assert exhibit.tiles[3].lines == ["PSNR Y 1.00 dB", "seed 1"]


def test_files_that_cannot_be_shown_are_named(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_run("a", {"psnr_y": {"x": 25.0}}, pictures=True) / "image0"
    (folder / "sr.png").unlink()
    (folder / "bicubic.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    np.save(folder / "kernel.npy", np.zeros((3, 5)))
    (folder / "true_kernel.npy").write_bytes(b"")
    (folder / "trace.csv").write_text("loss\n1\n", encoding="utf-8")
    (exhibit,) = _gallery(tmp_path).exhibits
    assert _titles(exhibit) == ["whole image", "LR", "HR"]
    assert (exhibit.kernels, exhibit.charts) == ([], [])
    named = {fault.partition(": ")[0].rpartition("/")[2] for fault in exhibit.faults}
    assert named == {"sr.png", "bicubic.png", "kernel.npy", "true_kernel.npy", "trace.csv"}


@pytest.mark.parametrize("name", ["../secret.png", "{root}/secret.png"])
def test_a_record_cannot_bring_in_files_from_elsewhere(
    make_run: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    write_image(tmp_path / "runs" / "secret.png", np.zeros((8, 8, 3), np.float32))
    files = ImageFiles(seconds=1.0, sr=name.format(root=tmp_path / "runs"))
    make_run("a", {"psnr_y": {"x": 1.0}}, images={"x": files})
    (exhibit,) = _gallery(tmp_path).exhibits
    assert exhibit.tiles == []
    assert "outside the folder of the run" in exhibit.faults[0]


def test_different_inputs_are_pointed_out(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run("a", {"psnr_y": {"x": 25.0}}, pictures=True)
    folder = make_run("b", {"psnr_y": {"x": 25.0}}, labels={"prior": "dkp"}, pictures=True)
    write_image(folder / "image0" / "lr.png", np.zeros((12, 12, 3), np.float32))
    (exhibit,) = _gallery(tmp_path).exhibits
    assert exhibit.faults == ["a restored another LR image than b: do not compare them"]


def test_without_ground_truth_the_rest_is_shown(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_run("a", {"psnr_y": {"x": 25.0}}, pictures=True)
    files = ImageFiles(seconds=1.0, lr="image0/lr.png", sr="image0/sr.png")
    make_run("a", {}, images={"x": files})
    assert folder.is_dir()
    (exhibit,) = _gallery(tmp_path).exhibits
    assert _titles(exhibit) == ["whole image", "LR", "study"]
    assert exhibit.tiles[2].lines == []


def test_blocks_take_turns_and_what_is_left_out_is_counted(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for dataset in ("set5", "set14"):
        values = {f"{dataset}_{i}": 25.0 for i in range(3)}
        make_run(dataset, {"psnr_y": values}, labels={"dataset": dataset}, pictures=True)
    assert len(_gallery(tmp_path).exhibits) == 6
    monkeypatch.setattr(gallery, "MAX_IMAGES", 4)
    found = _gallery(tmp_path)
    assert [exhibit.image_id for exhibit in found.exhibits] == ["set14_0", "set14_1", "set5_0", "set5_1"]
    assert [exhibit.setting for exhibit in found.exhibits] == ["set14", "set14", "set5", "set5"]
    assert found.total == 6
    monkeypatch.setattr(gallery, "MAX_CHARACTERS", found.exhibits[0].characters * 5 // 2)
    assert len(_gallery(tmp_path).exhibits) == 2
    monkeypatch.setattr(gallery, "MAX_CHARACTERS", 1)
    assert len(_gallery(tmp_path).exhibits) == 1
