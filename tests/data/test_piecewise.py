"""Scenes of constant patches."""

import pytest
import torch

from sr_lab.data.images import Images
from sr_lab.data.piecewise import PiecewiseScenes
from sr_lab.errors import UserError


def test_scenes_are_constant_patches_within_their_decibels() -> None:
    scenes = PiecewiseScenes(2, size=128, rectangles=20)
    assert isinstance(scenes, Images)
    first, second = scenes[0], scenes[1]
    assert (first.shape, first.dtype, scenes.ids) == ((1, 128, 128), torch.float32, ["scene0", "scene1"])
    assert 5 < len(first.unique()) <= 21
    decibels = 20 * first.log10()
    assert -10 <= float(decibels.min()) < float(decibels.max()) <= 10
    assert not torch.equal(first, second)
    assert torch.equal(first, PiecewiseScenes(1, size=128, rectangles=20)[0])
    assert not torch.equal(first, PiecewiseScenes(1, size=128, rectangles=20, seed=1)[0])


def test_one_rectangle_has_its_area() -> None:
    """On average: half sides of 10 px in a scene of 256, but for what lies beyond the edge."""
    scenes = PiecewiseScenes(40, rectangles=1, sides=(10, 10))
    areas = [min(scenes[number].unique(return_counts=True)[1].tolist()) for number in range(40)]
    assert sum(areas) / 40 == pytest.approx(400, rel=0.1)


def test_impossible_scenes_are_refused() -> None:
    with pytest.raises(UserError, match="rectangles"):
        PiecewiseScenes(1, rectangles=0)
