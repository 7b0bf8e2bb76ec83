"""Designs, their exclusions and fractions, and faults of a study file named with their place."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_lab.config.schema import parse
from sr_lab.errors import UserError
from sr_lab.sweep.grid import Grid, read_grid, resolution, written
from sr_lab.sweep.overrides import expand


def grid(**entries: Any) -> Grid:
    return parse(Grid, {"question": "?", **entries})


TWO = {"a": [0, 1], "b": [0, 1], "c": [0, 1]}


def test_full_is_the_product() -> None:
    assert len(grid(factors={**TWO, "d": ["x", "y", "z"]}).cells()) == 24


def test_leave_one_out_changes_one_thing_at_a_time() -> None:
    cells = grid(factors={"prior": ["fkp", "softmax"], "scale": [2, 3, 4]}, design="leave_one_out").cells()
    assert cells == [
        {"prior": "fkp", "scale": "2"},
        {"prior": "softmax", "scale": "2"},
        {"prior": "fkp", "scale": "3"},
        {"prior": "fkp", "scale": "4"},
    ]


@given(st.integers(2, 3), st.integers(2, 4))
@settings(max_examples=8, deadline=None)
def test_a_fraction_is_balanced(levels: int, free: int) -> None:
    """Every pair of levels of two free factors, and each level of the tied one, appears equally often."""
    factors = {f"f{i}": list(range(levels)) for i in range(free + 1)}
    names = [f"f{i}" for i in range(free)]
    cells = grid(factors=factors, design="fractional", generators={f"f{free}": names}).cells()
    assert len(cells) == levels**free
    for a, b in itertools.combinations(factors, 2):
        pairs = [(cell[a], cell[b]) for cell in cells]
        assert {pairs.count(pair) for pair in set(pairs)} == {levels ** (free - 2)}
        assert len(set(pairs)) == levels**2


def test_the_textbook_fractions_have_their_resolution() -> None:
    assert resolution({"c": ["a", "b"]}) == 3  # 2^(3-1)
    assert resolution({"d": ["a", "b", "c"]}) == 4  # 2^(4-1)
    assert resolution({"d": ["a", "b"], "e": ["a", "c"]}) == 3  # 2^(5-2)
    assert resolution({"e": ["a", "b", "c"], "f": ["b", "c", "d"]}) == 4  # 2^(6-2)


def test_exclusions_leave_out_what_they_name() -> None:
    cells = grid(factors=TWO, exclude=[{"a": 0, "b": 1}, {"c": 1}]).cells()
    assert len(cells) == 3
    assert not any(cell["c"] == "1" or (cell["a"], cell["b"]) == ("0", "1") for cell in cells)


def test_named_levels_stand_for_several_overrides() -> None:
    made = grid(
        base=["scale=2"],
        factors={"recipe": {"fast": ["method=fast", "prior=spectral"], "slow": ["prior=fkp"]}},
    )
    assert made.overrides(made.cells()[0], 3) == ["scale=2", "method=fast", "prior=spectral", "seed=3"]


@given(
    st.one_of(
        st.text("ab,'\\ =[]{}0.", max_size=6), st.integers(), st.booleans(), st.none(), st.floats(-1e9, 1e9)
    )
)
@settings(max_examples=60, deadline=None)
def test_any_level_survives_hydras_grammar(level: Any) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (override,) = OverridesParser.create().parse_overrides([f"key={written(level)}"])
    assert not override.is_sweep_override()
    value = override.value()
    text = isinstance(level, str)
    assert str(value) == level if text else value == level


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({}, "grid.yaml.factors: a value is missing"),
        ({"factors": TWO, "desing": "full"}, "unknown key 'desing'; did you mean 'design'"),
        ({"factors": TWO, "design": "fulll"}, "did you mean 'full'"),
        ({"factors": TWO, "exclude": [{"d": 0}]}, r"exclude\[0\].d: no factor 'd'"),
        ({"factors": TWO, "exclude": [{"a": 7}]}, r"exclude\[0\].a: no level '7'"),
        ({"factors": TWO, "exclude": [{"a": 0}, {"a": 1}]}, "no cell is left"),
        ({"factors": TWO, "design": "leave_one_out", "exclude": [{"a": 1, "b": 1}]}, "excludes no cell"),
        ({"factors": TWO, "design": "fractional"}, "needs generators"),
        ({"factors": TWO, "generators": {"c": ["a", "b"]}}, "design: fractional"),
        ({"factors": TWO, "design": "fractional", "generators": {"c": ["a", "x"]}}, "no factor 'x'"),
        (
            {"factors": {**TWO, "d": [1, 2, 3]}, "design": "fractional", "generators": {"d": ["a"]}},
            "3 levels",
        ),
        ({"factors": TWO, "design": "fractional", "generators": {"c": ["c"]}}, "no free factor"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, entries: dict[str, Any], said: str) -> None:
    import yaml

    (tmp_path / "grid.yaml").write_text(yaml.safe_dump({"question": "?", **entries}))
    with pytest.raises(UserError, match=said):
        read_grid(tmp_path / "grid.yaml").cells()


def test_numbers_are_read_as_hydra_reads_them(tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text("question: why\nfactors: {method.lr: [1e-3, 5e-3]}\n")
    made = read_grid(tmp_path / "grid.yaml")
    cells = expand(made.overrides(made.cells()[1], 0))
    assert cells == [["method.lr=0.005", "seed=0"]]
