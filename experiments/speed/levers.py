"""What can make a DIP-FKP image update faster, each as one change to the plain transcription.

A lever gets a built `DipFkp` in a process of its own and alters it, or the module of the transcription.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from reference import dip_fkp  # noqa: E402  # pyright: ignore[reportMissingImports]
from reference.dip_fkp import DipFkp, Level, NonLocal  # noqa: E402  # pyright: ignore[reportMissingImports]

from sr_lab.backbones.ops.memory import keep_freed_memory  # noqa: E402
from sr_lab.backbones.ops.threads import one_thread_if_waking_is_slow  # noqa: E402
from sr_lab.backbones.ops.upsampled_conv import upsampled_norm_conv3x3  # noqa: E402
from sr_lab.backbones.ops.winograd import reflect_conv3x3  # noqa: E402
from sr_lab.backbones.skip import WINOGRAD_SIDE, SkipNet  # noqa: E402

# well after the kernel is let go and SSIM gives way to MSE: 92 % of a run
LATE = 100


@dataclass(frozen=True)
class Lever:
    """One change.

    Args:
        pull: applies it.
        env: variables of its process, over those of the run; None unsets.
        against: the lever it is compared with.
        start: iteration before the first timed one.
    """

    pull: Callable[[DipFkp], None]
    env: Mapping[str, str | None] = field(default_factory=dict)
    against: str = "plain transcription"
    start: int = LATE


def build(lever: Lever, lr: Tensor, scale: int, flow: Path) -> Any:
    """The transcription with one lever pulled."""
    state = DipFkp(lr, scale, flow)
    lever.pull(state)
    return state


def nothing(state: DipFkp) -> None:
    """The transcription as it is."""


def channels_last(state: DipFkp) -> None:
    """NHWC memory for weights and features."""
    state.net.to(memory_format=torch.channels_last)
    state.z = state.z.contiguous(memory_format=torch.channels_last)


def strided_blur(state: DipFkp) -> None:
    """Correlate only where a pixel is kept."""

    def degrade(image: Tensor, kernel: Tensor, scale: int) -> Tensor:
        pad = kernel.shape[-1] // 2
        padded = F.pad(image, (pad, pad, pad, pad), mode="circular")
        weight = kernel.expand(image.shape[1], 1, -1, -1)
        return F.conv2d(padded, weight, groups=image.shape[1], stride=scale)

    dip_fkp.degrade = degrade


def fft_blur(state: DipFkp) -> None:
    """Circular correlation as a product of spectra, then decimation."""

    def degrade(image: Tensor, kernel: Tensor, scale: int) -> Tensor:
        (height, width), k = image.shape[2:], kernel.shape[-1]
        grid = F.pad(kernel, (0, width - k, 0, height - k)).roll((-(k // 2), -(k // 2)), (2, 3))
        spectrum = torch.fft.rfft2(image) * torch.fft.rfft2(grid).conj()
        return torch.fft.irfft2(spectrum, s=(height, width))[:, :, ::scale, ::scale]

    dip_fkp.degrade = degrade


def foreach_adam(state: DipFkp) -> None:
    """One call for each operation of Adam over all tensors."""
    state.net_optimizer = torch.optim.Adam(state.net.parameters(), lr=5e-3, foreach=True)


def fused_adam(state: DipFkp) -> None:
    """One pass over each tensor."""
    state.net_optimizer = torch.optim.Adam(state.net.parameters(), lr=5e-3, fused=True)


def in_place_activation(state: DipFkp) -> None:
    """LeakyReLU over the output of the batch norm."""
    for module in state.net.modules():
        if isinstance(module, nn.LeakyReLU):
            module.inplace = True


def reordered_attention(state: DipFkp) -> None:
    """Values theta (phi g) in place of (theta phi) g: there is no softmax between them."""

    def forward(self: NonLocal, x: Tensor) -> Tensor:
        g = F.max_pool2d(self.g(x), 2).flatten(2).transpose(1, 2)
        phi = F.max_pool2d(self.phi(x), 2).flatten(2)
        y = self.theta(x).flatten(2).transpose(1, 2) @ (phi @ g / phi.shape[-1])
        return x + self.norm(self.out(y.transpose(1, 2).reshape(len(x), -1, *x.shape[2:])))

    NonLocal.forward = forward


def keep_memory(state: DipFkp) -> None:
    """No page faults for what was freed a moment ago."""
    keep_freed_memory()


def bf16(state: DipFkp) -> None:
    """Autocast; pays only where the processor multiplies bf16."""
    forward = state.net.forward

    def autocast(z: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return forward(z).float()

    state.net.forward = autocast


def single_thread(state: DipFkp) -> None:
    """No parallel regions."""
    torch.set_num_threads(1)


def cached_flow(state: DipFkp) -> None:
    """Run the flow once while the code stands still."""
    with torch.no_grad():
        kernel = state.flow.kernel(state.code)
    state.flow.kernel = lambda code: kernel


def gemm_1x1(state: DipFkp) -> None:
    """NHWC memory, and 1x1 convolutions as matrix products."""
    channels_last(state)

    def forward(self: nn.Conv2d, x: Tensor) -> Tensor:
        return F.linear(x.permute(0, 2, 3, 1), self.weight[:, :, 0, 0], self.bias).permute(0, 3, 1, 2)

    for module in state.net.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            module.forward = forward.__get__(module)


def winograd(state: DipFkp) -> None:
    """NHWC memory, and Winograd for the 3x3 convolutions between 128 channels at stride 1."""
    channels_last(state)

    def forward(self: Any, x: Tensor) -> Tensor:
        layer, norm, act = self[0][1], self[1], self[2]
        if min(x.shape[2:]) < WINOGRAD_SIDE:
            return nn.Sequential.forward(self, x)
        return act(norm(reflect_conv3x3(x, layer.weight.permute(0, 2, 3, 1))))

    for module in state.net.modules():
        if isinstance(module, Level):
            module.deep.forward = forward.__get__(module.deep)


def commuted_doubling(state: DipFkp) -> None:
    """NHWC memory, and the convolution before the doubling filter."""
    channels_last(state)

    def forward(self: Level, x: Tensor) -> Tensor:
        skip = self.skip(x)
        deep = self.inner(self.deep(self.non_local(self.down(x))))
        (pad, layer), norm, act = self.join[0], self.join[1], self.join[2]
        sizes = [skip.shape[1], deep.shape[1]]
        scale_skip, scale_deep = self.join_norm.weight.split(sizes)
        weight_skip, weight_deep = layer.weight.split(sizes, dim=1)
        doubled = upsampled_norm_conv3x3(deep, scale_deep, weight_deep.permute(0, 2, 3, 1))
        thin = F.conv2d(pad(F.batch_norm(skip, None, None, scale_skip, training=True)), weight_skip)
        return self.mix(act(norm(doubled + thin)))

    Level.forward = forward


def our_network(state: DipFkp) -> None:
    """SkipNet in place of the transcription's, everything else plain."""
    net = SkipNet(generator=torch.Generator().manual_seed(0))
    state.net = net
    state.z = state.z.contiguous(memory_format=torch.channels_last)
    state.net_optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)


def one_thread_adam(state: DipFkp) -> None:
    """One pass over each tensor, on one thread where waking another takes longer."""
    fused_adam(state)
    step = state.net_optimizer.step

    def quiet_step() -> None:
        with one_thread_if_waking_is_slow():
            step()

    state.net_optimizer.step = quiet_step


def together(state: DipFkp) -> None:
    """All that pays."""
    keep_memory(state)
    our_network(state)
    one_thread_adam(state)
    strided_blur(state)


SPINNING = {"OMP_WAIT_POLICY": None}
PLAIN = "plain transcription"
LEVERS = {
    PLAIN: Lever(nothing),
    "channels_last": Lever(channels_last),
    "channels_last + 1x1 as GEMM": Lever(gemm_1x1),
    "channels_last + Winograd": Lever(winograd),
    "channels_last + doubling after the convolution": Lever(commuted_doubling),
    "reordered attention": Lever(reordered_attention),
    "strided blur": Lever(strided_blur),
    "FFT blur": Lever(fft_blur),
    "foreach Adam": Lever(foreach_adam),
    "fused Adam": Lever(fused_adam),
    "fused Adam on one thread": Lever(one_thread_adam),
    "in-place LeakyReLU": Lever(in_place_activation),
    "freed memory kept": Lever(keep_memory),
    "bf16 autocast": Lever(bf16),
    "one thread for all": Lever(single_thread),
    "spinning threads": Lever(nothing, SPINNING),
    "plain, kernel frozen": Lever(nothing, start=5),
    "cached flow, kernel frozen": Lever(cached_flow, against="plain, kernel frozen", start=5),
    "SkipNet alone": Lever(our_network),
    "SkipNet + freed memory kept + fused Adam + strided blur": Lever(together),
    "the same, spinning threads": Lever(together, SPINNING, against="spinning threads"),
}
