from pathlib import Path

import numpy as np
import pytest
import torch
from reference.kernel_pool import blob, write_pool

from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.kernel_pool import KernelPool
from sr_lab.errors import UserError
from sr_lab.metrics.kernel import kernel_psnr
from sr_lab.priors.flow import KernelFlow, flow_from
from sr_lab.priors.reach import evaluate, nearest
from sr_lab.weights.store import Checkpoint, load_weights, save_checkpoint


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_kernels_of_the_sphere_are_reached() -> None:
    flow = flow_from(load_weights("fkp_x2")).requires_grad_(False)
    made = flow.decode(10 * torch.nn.functional.normalize(torch.randn(4, 121, generator=seeded())))
    assert kernel_psnr(nearest(flow, made, 50), made).min() > 70


def test_the_search_improves_on_its_start_for_every_kernel() -> None:
    flow = flow_from(load_weights("fkp_x2")).requires_grad_(False)
    kernels = GaussianKernels(2, variance=(0.5, 4.0), recentre=False).sample(6, seeded())
    before, after = (kernel_psnr(nearest(flow, kernels, steps), kernels) for steps in (1, 60))
    assert (after >= before).all()
    assert after.mean() > before.mean() + 1


def test_evaluation_tells_what_was_learned_from_what_was_not(tmp_path: Path) -> None:
    folder = write_pool(tmp_path / "pool", 10, (11, 8))
    pool = KernelPool(folder, scale=2, size=13)
    state = KernelFlow(13, 4, pool.normalization()).state_dict()
    save_checkpoint(tmp_path / "mine.pt", Checkpoint(state, {"levels": 900.0, **pool.facts()}))
    np.save(folder / "wide.npy", blob(33, 16, 16, 5))
    mine, shipped = evaluate(str(tmp_path / "mine.pt"), folder)
    assert {row.name for row in mine.rows if not row.learned} == set(pool.held_out_names)
    assert (mine.unfit, shipped.unfit) == (["wide"], ["wide"])
    assert (shipped.flow, shipped.side, shipped.scale) == ("fkp_x2", 11, 2)
    assert not any(row.learned for row in shipped.rows)
    # the floor does not depend on the flow: both are measured over the same window
    assert [row.floor for row in mine.rows] == pytest.approx([row.floor for row in shipped.rows], abs=0.1)
    for trained in shipped.rows:
        assert trained.psnr > trained.floor + 10


def test_a_flow_without_a_scale_is_not_evaluated(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "flow.pt", Checkpoint(KernelFlow(7, 4, 0.2).state_dict()))
    with pytest.raises(UserError, match="does not say which scale"):
        evaluate(str(tmp_path / "flow.pt"), tmp_path)
