"""Negative log-likelihood of kernel flows on FKP's full validation grid, ours beside the published ones, in one run.

python experiments/first_light/flow_nll.py --out experiments/first_light/flow_nll.json
"""

import argparse
import json
from pathlib import Path

import torch

from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.priors.flow import KernelFlow
from sr_lab.tracking.facts import code, versions
from sr_lab.weights.store import load_weights


@torch.no_grad()
def nll(weights: str, scale: int, seed: int) -> tuple[float, float, int]:
    """Mean and standard deviation over the grid in nats per kernel, and the number of kernels."""
    flow = KernelFlow.from_state_dict(load_weights(weights).state, weights)
    grid = GaussianKernels(scale).validation_set()
    noise = torch.Generator().manual_seed(seed)
    values = torch.cat([-flow.log_prob(flow.preprocess(part, noise)) for part in grid.split(4096)])
    return values.mean().item(), values.std().item(), len(grid)


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the dequantisation noise")
    arguments = parser.parse_args()
    rows = []
    print(
        "| weights | kernels | NLL, mean over noise seeds | range | spread over kernels |\n|---|---|---|---|---|"
    )
    for scale in (2, 3, 4):
        for weights in (f"fkp_x{scale}", f"fkp_x{scale}_published"):
            found = [nll(weights, scale, seed) for seed in arguments.seeds]
            means = [mean for mean, _, _ in found]
            row = {
                "weights": weights,
                "scale": scale,
                "kernels": found[0][2],
                "nll": sum(means) / len(means),
                "nll_min": min(means),
                "nll_max": max(means),
                "std_over_kernels": found[0][1],
            }
            rows.append(row)
            print(
                f"| {weights} | {row['kernels']:,} | {row['nll']:.2f} | {min(means):.2f} to {max(means):.2f} "
                f"| {row['std_over_kernels']:.0f} |"
            )
    result = {"rows": rows, "noise_seeds": arguments.seeds, "code": code(), "versions": versions()}
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
