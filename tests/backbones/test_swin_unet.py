"""Published sizes, attention against a plain loop, any size."""

import pytest
import torch

from sr_lab.backbones.swin_unet import SwinUNet, _mask
from sr_lab.errors import UserError


def small() -> SwinUNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SwinUNet(4, 1, 8, (1, 2), 1, 8, 2, window=2, built=8).eval()


def test_the_published_size():
    with torch.device("meta"):
        net = SwinUNet()
    state = net.state_dict()
    assert sum(p.numel() for p in net.parameters()) == 118_593_583
    assert len(state) == 564
    assert len(net.input_blocks) == len(net.output_blocks) == 12
    assert state["input_blocks.1.1.blocks.1.attn_mask"].shape == (64, 64, 64)
    assert state["middle_block.1.blocks.0.attn.relative_position_bias_table"].shape == (225, 6)
    assert "middle_block.1.blocks.1.attn_mask" not in state


def test_a_shift_mask_parts_what_the_edge_parts():
    side, shift, length = 4, 2, 8
    at = (torch.arange(length) + shift) % length  # where each pixel of the rolled image came from
    mask = _mask(length, length, side, shift)
    for window in range(4):
        top, left = divmod(window, 2)
        rows, columns = (at[side * k : side * k + side] for k in (top, left))
        wrapped = (rows < shift)[:, None] * 2 + (columns < shift)
        inside = torch.tensor([top, left]) == 1  # only the last windows hold both sides of the edge
        apart = (wrapped.flatten()[:, None] != wrapped.flatten()) & bool(inside.any())
        assert torch.equal(mask[window] < 0, apart)


@pytest.mark.parametrize("shape", [(8, 8), (5, 11)])
def test_any_size(shape: tuple[int, int]):
    net, generator = small(), torch.Generator().manual_seed(1)
    z, condition = (torch.randn(2, c, *shape, generator=generator) for c in (4, 1))
    found = net(z, torch.tensor([0, 14]), condition)
    assert found.shape == z.shape
    assert torch.isfinite(found).all()
    torch.testing.assert_close(net(z[1:], torch.tensor([14]), condition[1:]), found[1:], atol=1e-5, rtol=1e-4)


def test_what_does_not_fit_is_told():
    with pytest.raises(UserError, match="multiple of 4"):
        SwinUNet(4, 1, 8, (1, 2), 1, 8, 2, window=2, built=6)
