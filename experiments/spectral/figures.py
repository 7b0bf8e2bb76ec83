"""Pictures of the accuracy study: how kernel PSNR is distributed, and the five worst cases at each scale.

python experiments/spectral/figures.py experiments/spectral/accuracy.json --out experiments/spectral/figures
"""

import argparse
import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy import ESTIMATES, SETS, test_set
from choose import parts
from PIL import Image
from torch import Tensor

from sr_lab.io.atomic import atomic_write
from sr_lab.metrics.kernel import kernel_psnr
from sr_lab.priors.spectral.aliases import aliases
from sr_lab.priors.spectral.luminance import luminance
from sr_lab.priors.spectral.periodogram import periodogram

SCALES, WORST, CROP = (2, 3, 4), 5, 96
LABELS = [label for label, prior, _, _, _ in ESTIMATES if prior == "spectral" and "lines" not in label]


def distribution(results: dict[str, Any], out: Path) -> None:
    """Share of images below each kernel PSNR, a panel a scale."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(SCALES), figsize=(11, 3.4), sharey=True)
    for axis, scale in zip(axes, SCALES, strict=True):
        for label in LABELS:
            values = np.sort([row["kernel_psnr"] for row in results[f"x{scale} {label}"]["rows"]])
            axis.step(values, np.arange(1, len(values) + 1) / len(values), where="post", label=label)
        mean = np.sort([row["mean_kernel"] for row in results[f"x{scale} spectral"]["rows"]])
        axis.step(mean, np.arange(1, len(mean) + 1) / len(mean), color="grey", ls=":", label="mean kernel")
        axis.set(title=f"x{scale}", xlabel="kernel PSNR (dB)", xlim=(30, 85))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("share of images below")
    axes[-1].legend(fontsize=8, loc="lower right")
    save(figure, out / "distribution.png")


def worst(rows: list[dict[str, Any]], scale: int, out: Path) -> None:
    """LR crop, both kernels, and the periodogram's mean over directions beside what both kernels predict of |H|^2."""
    import matplotlib.pyplot as plt

    prior, degradation = parts("spectral", scale)
    rows = sorted(rows, key=lambda row: row["kernel_psnr"])[:WORST]
    figure, axes = plt.subplots(WORST, 4, figsize=(10.5, 2.5 * WORST))
    for line, row in zip(axes, rows, strict=True):
        name, image_id = row["image"].split("/")
        data = test_set(name, degradation, 1 + int(image_id.partition("@")[2] or 0))
        sample = data[next(i for i in range(len(data)) if data.image_id(i) == image_id)]
        assert sample.kernel is not None
        prior.start(sample, degradation, [])
        top, left = ((length - min(CROP, length)) // 2 for length in sample.lr.shape[-2:])
        crop = sample.lr[0, :, top : top + CROP, left : left + CROP].permute(1, 2, 0)
        peak = max(sample.kernel.max().item(), prior.kernel().max().item())
        psnr = kernel_psnr(prior.kernel(), sample.kernel).item()
        shown = (sample.kernel, "true"), (prior.kernel(), f"estimate, {psnr:.1f} dB")
        line[0].imshow(crop.numpy().clip(0, 1))
        line[0].set_title(row["image"], fontsize=9)
        for axis, (kernel, title) in zip(line[1:3], shown, strict=True):
            axis.imshow(kernel[0, 0].numpy(), vmin=0, vmax=peak, cmap="magma")
            axis.set_title(title, fontsize=9)
        for axis in line[:3]:
            axis.set_axis_off()
        spectra(line[3], luminance(sample.lr)[0, 0], sample.kernel, prior.kernel(), scale)
    save(figure, out / f"worst_x{scale}.png")


def spectra(axis: Any, grey: Tensor, true: Tensor, estimate: Tensor, scale: int) -> None:
    """Means over rings of frequency, in dB; the periodogram is shown relative to its largest ring."""
    measured = periodogram(grey)
    radius = torch.hypot(measured.fy, measured.fx)
    edges = torch.linspace(0.02, 0.5, 13, dtype=torch.float64)
    at = aliases(measured.fy, measured.fx, scale).frequency[:, 0]
    curves = {"periodogram": measured.power, "true |H|$^2$": gain(true, at, scale)}
    curves["estimated |H|$^2$"] = gain(estimate, at, scale)
    middle = (edges[1:] + edges[:-1]) / 2
    for (label, values), style in zip(curves.items(), ("k-", "C0-", "C1--"), strict=True):
        rings = [values[(radius >= low) & (radius < high)].mean() for low, high in itertools.pairwise(edges)]
        level = torch.stack(rings)
        axis.plot(
            middle,
            10 * torch.log10(level / (level.max() if label == "periodogram" else 1)),
            style,
            label=label,
        )
    axis.set_ylim(-70, 3)
    axis.set_xlabel("cycles per LR pixel", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=6)


def gain(kernel: Tensor, at: Tensor, scale: int) -> Tensor:
    """|H|^2 at LR frequencies (n, 2)."""
    place = torch.arange(kernel.shape[-1], dtype=torch.float64) / scale
    waves = torch.exp(-2j * torch.pi * at[..., None] * place)  # n 2 k
    return torch.einsum("ny,nx,yx->n", waves[:, 0], waves[:, 1], kernel[0, 0].to(waves.dtype)).abs() ** 2


def save(figure: Any, path: Path) -> None:
    """A PNG of at most 256 colours: figures stay small."""
    import matplotlib.pyplot as plt

    figure.tight_layout()
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=90)
    plt.close(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        Image.open(drawn).convert("RGB").quantize(256).save(file, "PNG", optimize=True)
    print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")


def main() -> None:
    """Draw everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("accuracy", type=Path, help="JSON of accuracy.py")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    import matplotlib as mpl

    mpl.use("Agg")
    torch.set_num_threads(1)
    results = json.loads(arguments.accuracy.read_text(encoding="utf-8"))["results"]
    distribution(results, arguments.out)
    for scale in SCALES:
        rows = results[f"x{scale} spectral"]["rows"]
        assert {row["image"].split("/")[0] for row in rows} <= set(SETS)
        worst(rows, scale, arguments.out)


if __name__ == "__main__":
    main()
