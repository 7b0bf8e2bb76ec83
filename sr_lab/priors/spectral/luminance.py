"""One grey image from any number of channels: what kernels are estimated on."""

import torch
from jaxtyping import Float
from torch import Tensor


def luminance(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
    """BT.601 luma of three channels, the mean of any other number; the range stays [0, 1]."""
    if image.shape[1] != 3:
        return image.mean(1, keepdim=True)
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=image.dtype, device=image.device)
    return (image * (weights / weights.sum()).view(1, 3, 1, 1)).sum(1, keepdim=True)
