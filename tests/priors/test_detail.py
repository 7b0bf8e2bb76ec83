"""Where an image shows its blur."""

import numpy as np
import pytest
import torch

from sr_lab.priors import detail
from sr_lab.priors.detail import edge_scores, most_detailed


def image() -> torch.Tensor:
    made = torch.full((1, 3, 200, 300), 0.5)
    made[..., 96:128, 160:192] = 0.3 + 0.4 * torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    return made


def plain_score(grey: np.ndarray) -> float:
    inside = (grey > 0.02) & (grey < 0.98)
    right = np.sqrt(np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))) * inside
    down = np.sqrt(np.abs(np.diff(grey, axis=0, append=grey[-1:]))) * inside
    return float(right.mean() + down.mean())


def test_the_score_is_the_mean_root_gradient() -> None:
    grey = image().mean(1)[0].numpy()
    tops, lefts = [0, 90, 168], [150, 268]
    found = edge_scores(image(), tops, lefts, 32, 32)
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            # the border of a window has neighbours, which the plain one leaves out
            window = grey[top : top + 33, left : left + 33]
            expected = plain_score(window) * (window.size / 32**2)
            assert found[i, j].item() == pytest.approx(expected, rel=0.08, abs=1e-9)


@pytest.mark.parametrize("limit", [2**22, 5000])
def test_the_textured_window_is_found_however_few_rows_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(detail, "MAX_LOOKED_AT", limit)
    assert most_detailed(image(), 32).std() > 0.08


def test_saturated_pixels_do_not_count() -> None:
    made = image()
    made[..., :64, :64] = torch.rand(64, 64, generator=torch.Generator().manual_seed(1)).round()
    window = most_detailed(made, 32)
    assert 0.2 < window.min() < window.max() < 0.8


def test_a_small_image_is_taken_whole() -> None:
    assert most_detailed(image(), 1024).shape == (1, 3, 200, 300)
    assert most_detailed(image(), 250).shape == (1, 3, 200, 250)
