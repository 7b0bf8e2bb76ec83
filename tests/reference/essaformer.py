"""ESSAformer as published, from the tensors of a checkpoint: every step in the published order, nothing fused."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

State = Mapping[str, Tensor]


def essa(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of tokens (b, n, c) in its published form, without the linear layers around it."""
    tokens = q.shape[1]
    q = q - q.mean(dim=2, keepdim=True)
    k = k - k.mean(dim=2, keepdim=True)
    q = q * q / (torch.sum(q * q, dim=2, keepdim=True) + 1e-7)
    k = k * k / (torch.sum(k * k, dim=2, keepdim=True) + 1e-7)
    q = F.normalize(q, dim=2)
    k = F.normalize(k, dim=1)
    return v + torch.matmul(q, torch.matmul(k.transpose(1, 2), v)) / tokens**0.5


def correlation(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The signed form with its n x n matrix written out: v_i + mean over j of corr(q_i, k_j) v_j."""
    tokens = q.shape[1]
    q = q - q.mean(dim=2, keepdim=True)
    k = k - k.mean(dim=2, keepdim=True)
    matrix = torch.einsum("bic,bjc->bij", q, k)
    matrix = matrix / (q.norm(dim=2)[:, :, None] * k.norm(dim=2)[:, None, :])
    return v + matrix @ v / tokens


def attention(state: State, prefix: str, tokens: Tensor, form: str) -> Tensor:
    """Linear layer to q, k, v; attention; linear layer."""
    mixed = F.linear(tokens, state[f"{prefix}.lnqkv.weight"], state[f"{prefix}.lnqkv.bias"])
    q, k, v = torch.chunk(mixed, 3, dim=2)
    attended = {"published": essa, "signed": correlation, "none": lambda q, k, v: v}[form](q, k, v)
    return F.linear(attended, state[f"{prefix}.ln.weight"], state[f"{prefix}.ln.bias"])


def enhance(state: State, prefix: str, stack: str, x: Tensor, form: str) -> Tensor:
    """One enhancer: norm, attention, the joined maps through three convolutions, plus the input."""
    batch, width, height, columns = x.shape
    tokens = x.flatten(2).transpose(1, 2)
    tokens = F.layer_norm(tokens, (width,), state[f"{prefix}.norm.weight"], state[f"{prefix}.norm.bias"])
    attended = attention(state, f"{prefix}.attn", tokens, form)
    attended = attended.transpose(1, 2).reshape(batch, width, height, columns)
    y = torch.cat([attended, x], dim=1)
    y = F.conv2d(y, state[f"{prefix}.{stack}.0.weight"], state[f"{prefix}.{stack}.0.bias"])
    y = F.leaky_relu(y, 0.2)
    y = F.conv2d(y, state[f"{prefix}.{stack}.3.weight"], state[f"{prefix}.{stack}.3.bias"], padding=1)
    y = F.leaky_relu(y, 0.2)
    y = F.conv2d(y, state[f"{prefix}.{stack}.6.weight"], state[f"{prefix}.{stack}.6.bias"])
    return y + x


def resample(state: State, name: str, x: Tensor, scale: int) -> Tensor:
    """The stages of Up (`convupsample`) or Down (`convdownsample`)."""
    factors = {1: [], 2: [2], 3: [3], 4: [2, 2], 8: [2, 2, 2]}[scale]
    for stage, factor in enumerate(factors):
        layer = f"blockup.{name}.{2 * stage}"
        x = F.conv2d(x, state[f"{layer}.weight"], state[f"{layer}.bias"], padding=1)
        x = F.pixel_shuffle(x, factor) if name == "convupsample" else F.pixel_unshuffle(x, factor)
    return x


def restore(state: State, lr: Tensor, scale: int, form: str = "published") -> Tensor:
    """SR (b, bands, sh, sw) of LR images (b, bands, h, w)."""

    def up(x: Tensor) -> Tensor:
        return resample(state, "convupsample", x, scale)

    def down(x: Tensor) -> Tensor:
        return resample(state, "convdownsample", x, scale)

    def enhance_up(x: Tensor) -> Tensor:
        return enhance(state, "blockup.convup", "convu", x, form)

    def enhance_down(x: Tensor) -> Tensor:
        return enhance(state, "blockup.convdown", "convd", x, form)

    f = F.conv2d(lr, state["conv_first.weight"], state["conv_first.bias"], padding=1)
    x1 = enhance_up(up(f))
    x2 = enhance_down(down(x1) + f)
    x3 = enhance_up(up(x2) + x1)
    x4 = enhance_down(down(x3) + x2)
    x5 = enhance_up(up(x4) + x3)
    return F.conv2d(x5, state["conv_last.weight"], state["conv_last.bias"], padding=1)
