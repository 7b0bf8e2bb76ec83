"""M-index: how far a ratio image is from pure speckle, by its first moments and by the structure left in it."""

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.metrics.image import AnyImages
from sr_lab.metrics.radar import Images, Scores, in_blocks, percentile, powers_of

LEVELS = 64  # of the co-occurrence; the last holds all above the 99th percentile
SHUFFLES = 10
CALM = 10  # % of the blocks, those whose logarithm varies least: taken as without texture
SEED = 0


def m_index(sr: Images, hr: AnyImages) -> Scores:
    """M-index of the ratio image HR / SR; 0 is perfect.

    Over n calm blocks of 32 x 32 px, half the sum of |ENL_hr - ENL_ratio| / ENL_hr + |1 - mean of the ratio|; plus 100
    |h0 - h| / h0, where h0 is the homogeneity of the ratio's co-occurrence (neighbours in both axes) and h its mean
    over shuffled copies, which keep the histogram and lose the structure. The shuffles are always the same.

    Args:
        sr: estimate of the scene without speckle; where it is 0 the ratio counts 1.
        hr: image with speckle.

    Raises:
        UserError: see `psnr_db`.
        MetricUnavailable: no block fits.

    Source: Gomez, Ospina and Frery 2017, arXiv 1704.05952; the choice of blocks, levels and shuffles is ours.
    """
    x, z = powers_of(sr, hr)
    ratio = (z / x.where(x > 0, 1.0)).where(x > 0, 1.0)
    return torch.stack([_moments(one, of) + _structure(of) for one, of in zip(z, ratio, strict=True)])


def _moments(z: Float[Tensor, "h w"], ratio: Float[Tensor, "h w"]) -> Tensor:
    before, after = in_blocks(z[None])[0], in_blocks(ratio[None])[0]
    spread = before.clamp_min(1e-30).log().var(-1, correction=0)
    calm = spread <= percentile(spread[None], CALM)[0]
    before, after = before[calm], after[calm]
    looks = [
        block.mean(-1).square() / block.var(-1, correction=0).clamp_min(1e-30) for block in (before, after)
    ]
    return ((looks[0] - looks[1]).abs() / looks[0] + (1 - after.mean(-1)).abs()).sum() / 2


def _structure(ratio: Float[Tensor, "h w"]) -> Tensor:
    top = percentile(ratio.flatten()[None], 99)[0].clamp_min(1e-30)
    levels = (ratio / top * LEVELS).clamp(0, LEVELS - 1).floor()
    generator = torch.Generator().manual_seed(SEED)
    flat = levels.flatten()
    shuffled = [
        _homogeneity(flat[torch.randperm(len(flat), generator=generator).to(flat.device)].view_as(levels))
        for _ in range(SHUFFLES)
    ]
    found = _homogeneity(levels)
    return 100 * (found - torch.stack(shuffled).mean()).abs() / found


def _homogeneity(levels: Float[Tensor, "h w"]) -> Tensor:
    """Mean over neighbours of 1 / (1 + (difference of levels)^2), which is that of the co-occurrence matrix."""
    return torch.stack([(1 / (1 + levels.diff(dim=axis).square())).mean() for axis in (0, 1)]).mean()
