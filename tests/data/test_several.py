"""Several sources as one: order, facts, and the shares of what is drawn."""

from collections import Counter
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from sr_lab.data.patches import Patches
from sr_lab.data.several import Several
from sr_lab.errors import UserError


class Constant:
    """Images of one value each, so that a patch tells where it comes from."""

    def __init__(self, ids: list[str], bands: int, first: float, known: bool = False) -> None:
        self.ids, self.bands, self.first = ids, bands, first
        if known:
            self.facts = self._facts

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Tensor:
        return torch.full((self.bands, 12, 12), self.first + 0.011 * index)

    def _facts(self, index: int) -> dict[str, Any]:
        return {"place": self.ids[index]}


def test_images_and_facts_come_from_their_own_source() -> None:
    several = Several([Constant(["a", "b"], 5, 0.1), Constant(["c"], 3, 0.5, known=True)], [1, 1])
    assert several.ids == ["a", "b", "c"]
    assert [len(several[index]) for index in range(3)] == [5, 5, 3]
    assert float(several[1][0, 0, 0]) == pytest.approx(0.111)
    assert (several.facts(1), several.facts(2)) == ({}, {"place": "c"})
    with pytest.raises(IndexError):
        several[3]


def test_shares_hold_whatever_the_number_of_images() -> None:
    few, many = Constant(["a"], 2, 0.1), Constant([f"b{index}" for index in range(30)], 3, 0.5)
    patches = Patches(Several([few, many], [1, 3]), 8, 1, seed=0, batches=2000, one_image=True)
    drawn = Counter(len(batch[0]) for batch in patches)
    assert drawn[2] / 2000 == pytest.approx(0.25, abs=0.03)
    values = Counter(
        round(float(batch[0, 0, 0, 0]), 3) for batch in islice(patches, 2000) if len(batch[0]) == 3
    )
    assert len(values) == 30
    assert max(values.values()) < 2.5 * min(values.values())


@pytest.mark.parametrize(
    ("sources", "shares", "said"),
    [
        ([Constant(["a"], 1, 0.1)], [1, 1], "1 sources with shares"),
        ([Constant(["a"], 1, 0.1)], [0], "shares"),
        ([Constant(["a"], 1, 0.1), Constant(["a"], 1, 0.1)], [1, 1], "two images are called 'a'"),
    ],
)
def test_sources_that_do_not_fit_are_refused(sources: list[Any], shares: list[float], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Several(sources, shares)
