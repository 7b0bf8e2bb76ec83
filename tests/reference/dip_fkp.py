"""DIP-FKP written down plainly: fp32, eager, NCHW, one step at a time, nothing clever.

Independent of `sr_lab` (it shares no code with the package) and so the yardstick for both its numbers and
its speed. The blur is evaluated at every high-resolution pixel and then decimated, the flow runs on every
iteration, and each layer is the torch module of that name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SSIM_UPDATES = 80
FROZEN_UNTIL = 75


def conv(channels_in: int, channels_out: int, size: int, stride: int = 1) -> nn.Sequential:
    """A biased convolution; 3x3 ones pad by reflection."""
    padding = [nn.ReflectionPad2d(size // 2)] if size > 1 else []
    return nn.Sequential(*padding, nn.Conv2d(channels_in, channels_out, size, stride))


def conv_norm_act(channels_in: int, channels_out: int, size: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, LeakyReLU 0.2."""
    return nn.Sequential(
        conv(channels_in, channels_out, size, stride), nn.BatchNorm2d(channels_out), nn.LeakyReLU(0.2)
    )


class NonLocal(nn.Module):
    """Dot-product non-local block with pooled keys and values; the identity at the start."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = channels // 2
        self.g = nn.Conv2d(channels, self.inner, 1)
        self.theta = nn.Conv2d(channels, self.inner, 1)
        self.phi = nn.Conv2d(channels, self.inner, 1)
        self.out = nn.Conv2d(self.inner, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)
        nn.init.zeros_(self.norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        b, _, h, w = x.shape
        g = F.max_pool2d(self.g(x), 2).flatten(2).transpose(1, 2)
        theta = self.theta(x).flatten(2).transpose(1, 2)
        phi = F.max_pool2d(self.phi(x), 2).flatten(2)
        attention = theta @ phi / phi.shape[-1]
        y = (attention @ g).transpose(1, 2).reshape(b, self.inner, h, w)
        return x + self.norm(self.out(y))


class Level(nn.Module):
    """One level of the generator; the next one lives inside it."""

    def __init__(self, level: int, channels_in: int, width: int, skip: int, levels: int, non_local_from: int):
        super().__init__()
        self.skip = conv_norm_act(channels_in, skip, 1)
        self.down = conv_norm_act(channels_in, width, 3, stride=2)
        self.non_local = NonLocal(width) if level >= non_local_from else nn.Identity()
        self.deep = conv_norm_act(width, width, 3)
        deeper = (width, width, skip, levels, non_local_from)
        self.inner = Level(level + 1, *deeper) if level < levels else nn.Identity()
        self.join_norm = nn.BatchNorm2d(width + skip)
        self.join = conv_norm_act(width + skip, width, 3)
        self.mix = conv_norm_act(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = self.skip(x)
        deep = self.inner(self.deep(self.non_local(self.down(x))))
        deep = F.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=False)
        h, w = min(skip.shape[2], deep.shape[2]), min(skip.shape[3], deep.shape[3])
        joined = torch.cat([center_crop(skip, h, w), center_crop(deep, h, w)], dim=1)
        return self.mix(self.join(self.join_norm(joined)))


def center_crop(x: Tensor, h: int, w: int) -> Tensor:
    """The middle (h, w) of x; an odd remainder is dropped at the bottom and right."""
    top, left = (x.shape[2] - h) // 2, (x.shape[3] - w) // 2
    return x[:, :, top : top + h, left : left + w]


class Skip(nn.Module):
    """The whole generator with its 1x1 head and sigmoid."""

    def __init__(
        self,
        channels_in: int = 3,
        channels_out: int = 3,
        width: int = 128,
        skip: int = 16,
        levels: int = 5,
        non_local_from: int = 3,
    ) -> None:
        super().__init__()
        self.body = Level(1, channels_in, width, skip, levels, non_local_from)
        self.head = nn.Conv2d(width, channels_out, 1)

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.head(self.body(z)))


class Flow:
    """The published flow, latent to kernel, straight from the checkpoint's tensors."""

    def __init__(self, path: Path) -> None:
        self.state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
        self.size = int(self.state["kernel_size"].item())
        self.alpha = self.state["alpha"]
        self.peak = self.state["normalization"]
        self.blocks = sum(key.endswith(".mask") for key in self.state)

    def mlp(self, prefix: str, x: Tensor, act: Callable[[Tensor], Tensor]) -> Tensor:
        for layer in (0, 2, 4):
            x = F.linear(x, self.state[f"{prefix}.{layer}.weight"], self.state[f"{prefix}.{layer}.bias"])
            x = act(x) if layer < 4 else x
        return x

    def kernel(self, code: Tensor) -> Tensor:
        u = code.reshape(1, -1)
        for block in reversed(range(self.blocks)):
            norm = {k: self.state[f"net.{2 * block + 1}.{k}"] for k in ("log_gamma", "beta")}
            mean = self.state[f"net.{2 * block + 1}.running_mean"]
            var = self.state[f"net.{2 * block + 1}.running_var"]
            u = (u - norm["beta"]) * torch.exp(-norm["log_gamma"]) * torch.sqrt(var + 1e-5) + mean
            mask = self.state[f"net.{2 * block}.mask"]
            s = self.mlp(f"net.{2 * block}.s_net", mask * u, torch.tanh)
            t = self.mlp(f"net.{2 * block}.t_net", mask * u, torch.relu)
            u = mask * u + (1 - mask) * (u * torch.exp(s) + t)
        kernel = (torch.sigmoid(u) - self.alpha) / (1 - 2 * self.alpha) * self.peak
        return kernel.reshape(1, 1, self.size, self.size)


def degrade(image: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """Circular padding, correlation of each channel at every pixel, then every scale-th row and column."""
    pad = kernel.shape[-1] // 2
    padded = F.pad(image, (pad, pad, pad, pad), mode="circular")
    channels = image.shape[1]
    blurred = F.conv2d(padded, kernel.expand(channels, 1, -1, -1), groups=channels)
    return blurred[:, :, ::scale, ::scale]


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean SSIM: 11x11 Gaussian window, sigma 1.5, zero padding, data range 1."""
    channels = a.shape[1]
    g = torch.exp(-((torch.arange(11.0) - 5) ** 2) / (2 * 1.5**2))
    window = torch.outer(g / g.sum(), g / g.sum()).expand(channels, 1, 11, 11)

    def mean(x: Tensor) -> Tensor:
        return F.conv2d(x, window, padding=5, groups=channels)

    mu_a, mu_b = mean(a), mean(b)
    var_a, var_b, cov = mean(a * a) - mu_a**2, mean(b * b) - mu_b**2, mean(a * b) - mu_a * mu_b
    c1, c2 = 0.01**2, 0.03**2
    return (
        ((2 * mu_a * mu_b + c1) * (2 * cov + c2)) / ((mu_a**2 + mu_b**2 + c1) * (var_a + var_b + c2))
    ).mean()


class DipFkp:
    """One image being restored; `step` makes one update and can be timed.

    Seeds: noise input `seed + 1`, kernel code `seed + 5`, network weights `seed`.
    """

    def __init__(self, lr: Tensor, scale: int, flow_weights_path: Path, seed: int = 0) -> None:
        self.lr, self.scale = lr, scale
        shape = (1, 3, lr.shape[2] * scale, lr.shape[3] * scale)
        self.z = torch.rand(shape, generator=torch.Generator().manual_seed(seed + 1)) * 0.1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = Skip()
        self.flow = Flow(flow_weights_path)
        self.radius = self.flow.size - 1
        generator = torch.Generator().manual_seed(seed + 5)
        self.code = torch.randn(1, 1, self.flow.size**2, generator=generator)
        self.net_optimizer = torch.optim.Adam(self.net.parameters(), lr=5e-3)
        self.code_optimizer = torch.optim.Adam([self.code], lr=0.5)
        self.iteration = 0

    def step(self) -> tuple[Tensor, Tensor, float]:
        """The image, the kernel and the loss of this iteration's forward pass, and one update of both."""
        self.iteration += 1
        sr = self.net(self.z)
        kernel = self.flow.kernel(self.code)
        out = degrade(sr, kernel, self.scale)
        # set after the forward pass: the code first moves two iterations after the last frozen one
        self.code.requires_grad_(self.iteration > FROZEN_UNTIL)
        loss = F.mse_loss(out, self.lr) if self.iteration > SSIM_UPDATES else 1 - ssim(out, self.lr)
        self.net_optimizer.zero_grad()
        self.code_optimizer.zero_grad()
        loss.backward()
        self.net_optimizer.step()
        self.code_optimizer.step()
        with torch.no_grad():
            self.code.mul_(self.radius / torch.sqrt((self.code**2).sum() + 1e-9))
        return sr.detach(), kernel.detach(), loss.item()


def run(
    lr: Tensor,
    scale: int,
    iterations: int,
    flow_weights_path: Path,
    seed: int = 0,
    callback: Callable[[int, Tensor, Tensor, float], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """Image (1, 3, sh, sw) and kernel (1, 1, k, k) of the last forward pass."""
    state = DipFkp(lr, scale, flow_weights_path, seed)
    sr, kernel = state.z, state.code
    for iteration in range(1, iterations + 1):
        sr, kernel, loss = state.step()
        if callback is not None:
            callback(iteration, sr, kernel, loss)
    return sr, kernel
