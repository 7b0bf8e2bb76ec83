"""Grids in Hydra's own grammar, composed as Hydra composes."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_lab.config.compose import Composer, compose, to_plain
from sr_lab.errors import UserError
from sr_lab.sweep.overrides import expand, labels


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("seed=0,1,2", ["0", "1", "2"]),
        ("seed=range(0,6,2)", ["0", "2", "4"]),
        ("method.lr=choice(1e-3,1e-2)", ["0.001", "0.01"]),
        ("+method.mode='a,b',c", ["'a,b'", "c"]),
        ("dataset.images.names=[cat],[cat,coffee]", ["[cat]", "[cat,coffee]"]),
        ("sweep=glob(in_*)", ["in_process"]),
        ("scale=sort(4,2)", ["2", "4"]),
        ("seed=3", ["3"]),
    ],
)
def test_hydras_sweep_syntax(override: str, values: list[str]) -> None:
    key = override.partition("=")[0]
    assert expand([override]) == [[f"{key}={value}"] for value in values]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
@settings(max_examples=10, deadline=None)
def test_a_grid_is_the_product_and_labels_name_what_varies(sizes: list[int]) -> None:
    axes = [[f"k{i}={value}" for value in range(size)] for i, size in enumerate(sizes)]
    cells = expand([f"k{i}={','.join(map(str, range(size)))}" for i, size in enumerate(sizes)])
    assert cells == [list(cell) for cell in itertools.product(*axes)]
    named = labels(cells)
    assert len(set(named)) == len(cells)
    for i, size in enumerate(sizes):
        assert all((f"k{i}=" in label) == (size > 1) for label in named)


@pytest.mark.parametrize(
    ("override", "said"),
    [("method.lr=interval(0,1)", "sr-lab search"), ("seed=[1", "key=value"), ("prior=glob(x*)", "nothing")],
)
def test_what_is_no_grid_is_said(override: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        expand([override])


@pytest.mark.parametrize(
    "overrides",
    [
        ["experiment=smoke", "seed=3", "method.lr=1e-3"],
        ["experiment=bicubic", "scale=2", "dataset=set5", "+method.extra={a: [1, 2]}"],
        ["experiment=dip_fkp", "~trainer.workers", "trainer=ddp_cpu", "trainer.threads=2"],
        ["scale=3", "backbone@solver=usrnet_published", "tracking.tags=[a,b]", "prior=softmax"],
    ],
)
def test_composing_many_is_composing_one(overrides: list[str]) -> None:
    composer = Composer()
    composer([*overrides, "seed=9"])
    assert composer(overrides) == compose(overrides)
    assert to_plain(composer(overrides)) == to_plain(compose(overrides))


@pytest.mark.parametrize("overrides", [["sed=1"], ["prior=fpk"], ["method.iteratons=3"], ["scale"]])
def test_a_fault_is_worded_as_for_one_run(overrides: list[str]) -> None:
    with pytest.raises(UserError) as one:
        compose(overrides)
    with pytest.raises(UserError) as many:
        Composer()(overrides)
    assert str(one.value) == str(many.value)


def test_groups_of_the_users_own_are_composed_too(tmp_path: Path) -> None:
    (tmp_path / "prior").mkdir()
    (tmp_path / "prior" / "mine.yaml").write_text("name: mine\n_target_: sr_lab.priors.softmax.Softmax\n")
    assert expand(["prior=glob(m*)"], [str(tmp_path)]) == [["prior=mine"]]
    assert Composer([str(tmp_path)])(["prior=mine", "scale=2"]).prior.name == "mine"
