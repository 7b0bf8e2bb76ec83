"""The FKP flow in plain float64 NumPy, straight from the tensors of a checkpoint, one vector at a time."""

import numpy as np

Arrays = dict[str, np.ndarray]


def mlp(state: Arrays, prefix: str, x: np.ndarray, tanh: bool) -> np.ndarray:
    """Three linear layers, two activations."""
    for layer in (0, 2, 4):
        x = state[f"{prefix}.{layer}.weight"] @ x + state[f"{prefix}.{layer}.bias"]
        if layer < 4:
            x = np.tanh(x) if tanh else np.maximum(x, 0)
    return x


def coupling_nets(state: Arrays, name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask, log scale and translation; both nets see the kept entries only."""
    mask = state[f"{name}.mask"]
    return mask, mlp(state, f"{name}.s_net", mask * x, True), mlp(state, f"{name}.t_net", mask * x, False)


def forward(state: Arrays, logits: np.ndarray) -> tuple[np.ndarray, float]:
    """Latent code and log|det| of a vector of kernel logits, by the running statistics."""
    x, log_det = logits.astype(float), 0.0
    for block in range(sum(key.endswith(".mask") for key in state)):
        mask, s, t = coupling_nets(state, f"net.{2 * block}", x)
        x = np.where(mask == 1, x, (x - t) / np.exp(s))
        log_det -= s[mask == 0].sum()
        norm = f"net.{2 * block + 1}"
        slope = np.exp(state[f"{norm}.log_gamma"]) / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
        x = slope * (x - state[f"{norm}.running_mean"]) + state[f"{norm}.beta"]
        log_det += np.log(slope).sum()
    return x, float(log_det)


def log_prob(state: Arrays, logits: np.ndarray) -> float:
    """Log density under a standard normal base."""
    code, log_det = forward(state, logits)
    return float(-0.5 * (code @ code) - 0.5 * len(code) * np.log(2 * np.pi) + log_det)


def inverse(state: Arrays, code: np.ndarray) -> np.ndarray:
    """Kernel logits of a latent code, by the running statistics."""
    u = code.astype(float)
    for block in reversed(range(sum(key.endswith(".mask") for key in state))):
        norm = f"net.{2 * block + 1}"
        slope = np.exp(state[f"{norm}.log_gamma"]) / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
        u = (u - state[f"{norm}.beta"]) / slope + state[f"{norm}.running_mean"]
        mask, s, t = coupling_nets(state, f"net.{2 * block}", u)
        u = np.where(mask == 1, u, u * np.exp(s) + t)
    return u
