"""The FKP normalising flow: a density over blur kernels, between kernel logits and a normal latent code."""

import copy
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr_lab.errors import UserError
from sr_lab.weights.store import Checkpoint, misfit

_EPSILON = 1e-5
PUBLISHED_LEVELS = 720.0
PUBLISHED_SCALES = {11: 2, 15: 3, 19: 4}  # by kernel side


class AffineCoupling(nn.Module):
    """Affine coupling on a checkerboard mask of the flattened kernel (FKP, section 3.1)."""

    mask: Tensor

    def __init__(self, dimension: int, hidden: int, mask: Float[Tensor, " d"]) -> None:
        super().__init__()
        self.register_buffer("mask", mask)
        self.s_net = _mlp(dimension, hidden, nn.Tanh)
        self.t_net = _mlp(dimension, hidden, nn.ReLU)
        self.t_net.load_state_dict(copy.deepcopy(self.s_net.state_dict()))  # published start: t copies s

    def forward(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, " n"]]:
        """Kernel logits towards the latent code, and log|det|."""
        kept = x * self.mask
        log_s, t = self.s_net(kept), self.t_net(kept)
        free = 1 - self.mask
        return kept + free * (x - t) * torch.exp(-log_s), -(free * log_s).sum(-1)

    def inverse(self, u: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Latent code towards kernel logits."""
        kept = u * self.mask
        return kept + (1 - self.mask) * (u * torch.exp(self.s_net(kept)) + self.t_net(kept))


class FlowBatchNorm(nn.Module):
    """Batch normalisation as an invertible layer; unbiased batch variance while training."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.log_gamma = nn.Parameter(torch.zeros(dimension))
        self.beta = nn.Parameter(torch.zeros(dimension))
        self.register_buffer("running_mean", torch.zeros(dimension))
        self.register_buffer("running_var", torch.ones(dimension))

    def forward(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, " n"]]:
        """Normalise, and log|det|."""
        if self.training:
            mean, var = x.mean(0), x.var(0)
            with torch.no_grad():
                self.running_mean.lerp_(mean, 0.1)
                self.running_var.lerp_(var, 0.1)
        else:
            mean, var = self.running_mean, self.running_var
        y = torch.exp(self.log_gamma) * (x - mean) / torch.sqrt(var + _EPSILON) + self.beta
        return y, (self.log_gamma - 0.5 * torch.log(var + _EPSILON)).sum().expand(len(x))

    def inverse(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Undo `forward` with the running statistics."""
        scaled = (y - self.beta) * torch.exp(-self.log_gamma)
        return scaled * torch.sqrt(self.running_var + _EPSILON) + self.running_mean


class KernelFlow(nn.Module):
    """Five blocks of affine coupling and flow batch-norm over k*k kernel logits.

    Args:
        kernel_size: odd side k; the dimension is D = k^2.
        hidden: width of the coupling nets; published min(5s+5, 25).
        normalization: c, the value that kernels are divided by before the logit.
        blocks: number of (coupling, batch-norm) pairs.
        alpha: logit margin, v = alpha + (1 - 2 alpha) x / c.
        levels: of the dequantisation, which adds U[0,1)/levels to x / c.

    State-dict keys are those of the published checkpoints, so both load strictly.
    Source: Liang et al., Flow-based Kernel Prior, CVPR 2021.
    """

    kernel_size: Tensor
    alpha: Tensor
    normalization: Tensor
    base_dist_mean: Tensor
    base_dist_var: Tensor

    def __init__(
        self,
        kernel_size: int,
        hidden: int,
        normalization: float,
        blocks: int = 5,
        alpha: float = 1e-6,
        levels: float = PUBLISHED_LEVELS,
    ) -> None:
        super().__init__()
        self.levels = levels
        dimension = kernel_size**2
        for name, value in (("kernel_size", kernel_size), ("alpha", alpha), ("normalization", normalization)):
            self.register_buffer(name, torch.tensor([float(value)]))
        self.register_buffer("base_dist_mean", torch.zeros(dimension))
        self.register_buffer("base_dist_var", torch.ones(dimension))
        mask = (torch.arange(dimension) % 2).float()
        layers: list[nn.Module] = []
        for _ in range(blocks):
            layers += [AffineCoupling(dimension, hidden, mask), FlowBatchNorm(dimension)]
            mask = 1 - mask
        self.net = nn.ModuleList(layers)

    @property
    def side(self) -> int:
        """Kernel side k."""
        return int(self.kernel_size.item())

    @property
    def radius(self) -> float:
        """Radius k - 1 of the sphere on which the codes of kernels lie (FKP, section 3.3)."""
        return self.side - 1.0

    @property
    def dimension(self) -> int:
        """D = k^2."""
        return self.side**2

    def preprocess(
        self, kernel: Float[Tensor, "n 1 k k"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Kernels to logits; with a generator, dequantised by U[0,1)/levels per pixel."""
        x = kernel.flatten(1).clamp(min=0) / self.normalization
        if generator is not None:
            noise = torch.rand(x.shape, generator=generator, device=generator.device)
            x = x + noise.to(x.device) / self.levels
        v = (self.alpha + (1 - 2 * self.alpha) * x).clamp(max=1 - self.alpha)  # a peak above c has no logit
        return torch.logit(v)

    def log_prob(self, logits: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Log density of kernel logits in nats (no term for the logit and its scaling, as published)."""
        u, log_det = logits, torch.zeros(len(logits), device=logits.device)
        for layer in self.net:
            u, step = layer(u)
            log_det = log_det + step
        z = (u - self.base_dist_mean) / self.base_dist_var
        log_base = -0.5 * (z**2 + math.log(2 * math.pi)) - torch.log(self.base_dist_var)
        return log_base.sum(-1) + log_det

    def encode(self, logits: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Latent codes of kernel logits."""
        for layer in self.net:
            logits = layer(logits)[0]
        return logits

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n 1 k k"]:
        """Kernels of latent codes: non-negative up to 1e-6 c, and *not* exactly summing to 1 (0.7 to 1.3)."""
        for layer in reversed(self.net):
            code = layer.inverse(code)  # pyright: ignore[reportCallIssue]
        value = (torch.sigmoid(code) - self.alpha) / (1 - 2 * self.alpha) * self.normalization
        return value.view(-1, 1, self.side, self.side)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 1 k k"]:
        """Kernels of codes drawn uniformly on the sphere, divided by their sums."""
        code = torch.randn(n, self.dimension, generator=generator).to(self.normalization.device)
        kernel = self.decode(self.radius * F.normalize(code))
        return kernel / kernel.sum((-2, -1), keepdim=True)

    @classmethod
    def from_state_dict(
        cls, state: dict[str, Tensor], where: str = "checkpoint", levels: float = PUBLISHED_LEVELS
    ) -> "KernelFlow":
        """Build the flow a state dict describes and load it strictly.

        Raises:
            UserError: keys or shapes are not those of an FKP flow.
        """
        try:
            flow = cls(
                kernel_size=int(state["kernel_size"].item()),
                hidden=state["net.0.s_net.0.weight"].shape[0],
                normalization=float(state["normalization"]),
                blocks=sum(key.endswith(".mask") for key in state),
                alpha=float(state["alpha"]),
                levels=levels,
            )
            flow.load_state_dict(state, strict=True)
        except (KeyError, RuntimeError, ValueError) as error:
            raise UserError(
                f"these weights are not an FKP flow ({misfit(error)})",
                where=where,
                fix="expected the keys of FKP_x2/x3/x4.pt; see `sr-lab weights import --help`",
            ) from error
        return flow.eval()


def _mlp(dimension: int, hidden: int, activation: type[nn.Module]) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(dimension, hidden),
        activation(),
        nn.Linear(hidden, hidden),
        activation(),
        nn.Linear(hidden, dimension),
    )


def flow_from(checkpoint: Checkpoint, where: str = "checkpoint") -> KernelFlow:
    """The flow of a checkpoint, dequantised as in its training.

    Raises:
        UserError: not an FKP flow.
    """
    levels = float(checkpoint.architecture.get("levels", PUBLISHED_LEVELS))
    return KernelFlow.from_state_dict(checkpoint.state, where, levels)


def scale_of(checkpoint: Checkpoint, flow: KernelFlow) -> int | None:
    """The scale a flow was trained for: as its training wrote it down, else by the published windows."""
    return checkpoint.architecture.get("scale", PUBLISHED_SCALES.get(flow.side))


def published_hidden(scale: int) -> int:
    """Width of the coupling nets of the published flows: min(5s+5, 25)."""
    return min(5 * scale + 5, 25)
