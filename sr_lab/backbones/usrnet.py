"""USRNet: unfolded non-blind SR for any kernel, scale and noise level."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.backbones.data_step import DataStep
from sr_lab.errors import UserError
from sr_lab.weights.store import Checkpoint, load_weights, misfit


class _ResBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.res = nn.Sequential(_conv3(width, width), nn.ReLU(), _conv3(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.res(x)


class ResUNet(nn.Module):
    """Denoising prior: bias-free U-Net with additive skips, image and noise map in, image out.

    Args:
        channels: image channels.
        widths: channels at full, 1/2, 1/4 and 1/8 resolution.
        blocks: residual blocks a stage.
        unshuffle: factor by which pixels are folded into channels before the head, so that no layer runs at
            full resolution; 1 is the published net.
    """

    def __init__(self, channels: int, widths: Sequence[int], blocks: int, unshuffle: int) -> None:
        super().__init__()
        a, b, c, d = widths
        self.unshuffle = unshuffle
        fold = unshuffle**2
        self.m_head = _conv3(channels * fold + 1, a)
        self.m_down1 = nn.Sequential(*_blocks(a, blocks), nn.Conv2d(a, b, 2, 2, bias=False))
        self.m_down2 = nn.Sequential(*_blocks(b, blocks), nn.Conv2d(b, c, 2, 2, bias=False))
        self.m_down3 = nn.Sequential(*_blocks(c, blocks), nn.Conv2d(c, d, 2, 2, bias=False))
        self.m_body = nn.Sequential(*_blocks(d, blocks))
        self.m_up3 = nn.Sequential(nn.ConvTranspose2d(d, c, 2, 2, bias=False), *_blocks(c, blocks))
        self.m_up2 = nn.Sequential(nn.ConvTranspose2d(c, b, 2, 2, bias=False), *_blocks(b, blocks))
        self.m_up1 = nn.Sequential(nn.ConvTranspose2d(b, a, 2, 2, bias=False), *_blocks(a, blocks))
        self.m_tail = _conv3(a, channels * fold)

    def forward(
        self, image: Float[Tensor, "b c h w"], beta: Float[Tensor, "b 1 1 1"]
    ) -> Float[Tensor, "b c h w"]:
        """Denoise; `beta` is the noise level the map is filled with."""
        height, width = image.shape[-2:]
        multiple = 8 * self.unshuffle
        x = F.pad(image, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        if self.unshuffle > 1:
            x = F.pixel_unshuffle(x, self.unshuffle)
        x1 = self.m_head(torch.cat([x, beta.expand(-1, 1, *x.shape[-2:])], dim=1))
        x2 = self.m_down1(x1)
        x3 = self.m_down2(x2)
        x4 = self.m_down3(x3)
        y = self.m_up3(self.m_body(x4) + x4)
        y = self.m_up2(y + x3)
        y = self.m_up1(y + x2)
        y = self.m_tail(y + x1)
        if self.unshuffle > 1:
            y = F.pixel_shuffle(y, self.unshuffle)
        return y[..., :height, :width]


class _HyperNet(nn.Module):
    """From (noise level, scale) to the alphas and betas of all iterations."""

    def __init__(self, iterations: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Conv2d(2, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * iterations, 1),
            nn.Softplus(),
        )

    def forward(self, noise_level: Tensor, scale: int) -> Tensor:
        level = noise_level.view(-1, 1, 1, 1)
        return self.mlp(torch.cat([level, torch.full_like(level, scale)], dim=1)) + 1e-6


class _NoiseScaledSteps(nn.Module):
    """Step sizes around half-quadratic splitting's: alpha_i = (sigma^2 + quantisation^2) c_i, beta_i falling.

    The published net has to find alphas of 1e-4 through a softplus, which takes it very long; here they start
    there.
    """

    start: Tensor

    def __init__(self, iterations: int, width: int) -> None:
        super().__init__()
        alphas = torch.linspace(math.log(0.3), math.log(30.0), iterations)
        betas = torch.linspace(math.log(0.5), math.log(0.03), iterations)
        self.register_buffer("start", torch.cat([alphas, betas]).view(1, -1, 1, 1))
        self.mlp = nn.Sequential(
            nn.Conv2d(2, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * iterations, 1),
        )
        nn.init.zeros_(self.mlp[-1].weight)  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(self.mlp[-1].bias)  # pyright: ignore[reportArgumentType]

    def forward(self, noise_level: Tensor, scale: int) -> Tensor:
        variance = noise_level.view(-1, 1, 1, 1) ** 2 + (1 / 255) ** 2
        logarithm = torch.log(variance)
        told = torch.cat([logarithm / 10, torch.full_like(logarithm, scale / 4)], dim=1)
        sizes = torch.exp(self.start + self.mlp(told))
        half = sizes.shape[1] // 2
        return torch.cat([variance * sizes[:, :half], sizes[:, half:]], dim=1)


class USRNet(nn.Module):
    """Alternates the closed-form data step with a shared denoising prior.

    Args:
        channels: image channels (3).
        iterations: unfolded iterations.
        widths, blocks, unshuffle: see `ResUNet`.
        hyper_width: hidden width of the net that sets the step sizes.
        residual: let the prior predict a correction of its input instead of the image; it starts at none.
        steps: `softplus` as published, or `noise_scaled`.

    The defaults with 6 iterations are the published `usrnet_tiny` (590,332 parameters, same state-dict keys).
    Source: Zhang et al., Deep Unfolding Network for Image Super-Resolution, CVPR 2020.
    """

    scales: tuple[int, ...] = (1, 2, 3, 4)

    def __init__(
        self,
        channels: int = 3,
        iterations: int = 6,
        widths: Sequence[int] = (16, 32, 64, 64),
        blocks: int = 2,
        unshuffle: int = 1,
        hyper_width: int = 32,
        residual: bool = False,
        steps: Literal["softplus", "noise_scaled"] = "softplus",
    ) -> None:
        super().__init__()
        if unshuffle not in (1, 2, 4):
            raise UserError(
                f"unshuffle {unshuffle} is not 1, 2 or 4", where="backbone.unshuffle", fix="use 1 or 2"
            )
        self.channels, self.iterations, self.residual = channels, iterations, residual
        self.architecture = {
            "channels": channels,
            "iterations": iterations,
            "widths": list(widths),
            "blocks": blocks,
            "unshuffle": unshuffle,
            "hyper_width": hyper_width,
            "residual": residual,
            "steps": steps,
        }
        self.p = ResUNet(channels, widths, blocks, unshuffle)
        if residual:
            nn.init.zeros_(self.p.m_tail.weight)
        self.h = (_HyperNet if steps == "softplus" else _NoiseScaledSteps)(iterations, hyper_width)

    def forward(
        self,
        lr: Float[Tensor, "b c h w"],
        kernel: Float[Tensor, "b 1 k k"],
        scale: int,
        noise_level: Float[Tensor, " b"],
    ) -> Float[Tensor, "b c hs ws"]:
        """Restore.

        Args:
            lr: image in [0, 1].
            kernel: correlation kernel at the `fkp` anchor, decimation phase 0, circular boundary; used as
                given (FKP's does not sum to 1 exactly). The published code flips it first: it convolves.
            scale: s.
            noise_level: standard deviation of the LR noise, in [0, 1] units.
        """
        step = DataStep(lr, kernel, scale)
        levels = self.h(noise_level, scale)
        x = F.interpolate(lr, scale_factor=scale, mode="nearest")
        for i in range(self.iterations):
            x = step(x, levels[:, i : i + 1])
            denoised = self.p(x, levels[:, self.iterations + i : self.iterations + i + 1])
            x = x + denoised if self.residual else denoised
        return x


def _conv3(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)


def _blocks(width: int, count: int) -> list[nn.Module]:
    return [_ResBlock(width) for _ in range(count)]


def load_usrnet(weights: str) -> USRNet:
    """USRNet with trained weights, its architecture read from the checkpoint.

    Args:
        weights: name in `sr-lab weights list`, or a .pt file.

    Raises:
        UserError: not the weights of a USRNet.
    """
    checkpoint = load_weights(weights)
    return usrnet_from(checkpoint, weights)


def usrnet_from(checkpoint: Checkpoint, where: str) -> USRNet:
    """Build the net a checkpoint describes and load it strictly.

    Raises:
        UserError: keys or shapes are not those of a USRNet.
    """
    state = checkpoint.state
    try:
        iterations = state["h.mlp.4.bias"].shape[0] // 2
        widths = tuple(state[f"p.m_down{i}.0.res.0.weight"].shape[0] for i in (1, 2, 3))
        inferred = {
            "iterations": iterations,
            "widths": (*widths, state["p.m_body.0.res.0.weight"].shape[0]),
            "blocks": sum(key.startswith("p.m_body.") and key.endswith("res.0.weight") for key in state),
            "hyper_width": state["h.mlp.0.weight"].shape[0],
            "steps": "noise_scaled" if "h.start" in state else "softplus",
        }
        net = USRNet(**{**inferred, **checkpoint.architecture})
        net.load_state_dict(state, strict=True)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"these weights are not a USRNet ({misfit(error)})",
            where=where,
            fix="expected the keys of usrnet_tiny.pth or of experiment=train_usrnet",
        ) from error
    return net.eval()
