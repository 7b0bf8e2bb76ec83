"""What a field looks like: true and estimated widths over one image, and a corner of it restored in each way.

python experiments/varying_blur/figure.py --out experiments/varying_blur/field.png
"""

import argparse
from pathlib import Path

import torch
from compare import BLURS, SEED, truth_of
from torch import Tensor

from sr_lab.backbones.usrnet import load_usrnet
from sr_lab.config.paths import data_root
from sr_lab.data.degraded import DegradedImages
from sr_lab.data.images import ImageFolder
from sr_lab.degradation.chain import keyed_generator
from sr_lab.degradation.corruptions import Quantise
from sr_lab.degradation.gaussian_field import GaussianField, VaryingBlur
from sr_lab.methods.non_blind import restored_in_tiles
from sr_lab.priors.base import KernelField
from sr_lab.priors.spectral.field import SpectralField

PLACES = 15


def widths(field: KernelField) -> Tensor:
    """Geometric mean width in HR pixels (standard deviation) on a grid of places."""
    rows = []
    for y in torch.linspace(0.03, 0.97, PLACES).tolist():
        for x in torch.linspace(0.03, 0.97, PLACES).tolist():
            kernel = field.kernel_at(y, x)[0, 0].double()
            at = torch.arange(len(kernel), dtype=torch.float64)
            total = kernel.sum()
            middle = (kernel.sum(1) @ at / total, kernel.sum(0) @ at / total)
            dy, dx = at - middle[0], at - middle[1]
            yy, xx = kernel.sum(1) @ dy**2 / total, kernel.sum(0) @ dx**2 / total
            rows.append((yy * xx - (dy @ kernel @ dx / total) ** 2).sqrt().sqrt())
    return torch.stack(rows).view(PLACES, PLACES)


def main() -> None:
    """Draw one image."""
    from matplotlib.figure import Figure

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--set", default="set5")
    parser.add_argument("--image", default="baby")
    parser.add_argument("--blur", choices=list(BLURS), default="radial")
    parser.add_argument("--corner", type=int, nargs=2, default=[0, 384], help="top and left, HR pixels")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chain = VaryingBlur(2, GaussianField(2, **BLURS[arguments.blur]), [Quantise("round")])
    images = ImageFolder(str(data_root() / "natural" / arguments.set), only=[arguments.image])
    sample = DegradedImages(images, chain, SEED)[0]
    assert sample.hr is not None
    prior, solver = SpectralField(), load_usrnet("usrnet_small")
    prior.start(sample, chain, [])
    truth = truth_of(chain.fields.draw(1, keyed_generator(SEED, arguments.image)))
    pictures = {"ground truth": sample.hr}
    for name, kernel in {"one kernel": prior.kernel(), "estimated field": prior, "true field": truth}.items():
        rows = restored_in_tiles(solver, sample.lr, kernel, 2, torch.zeros(1), chain)
        pictures[name] = torch.cat(list(rows), -2)
    figure = Figure(figsize=(12, 6.2), layout="constrained")
    axes = figure.subplots(2, 4).flatten()
    maps = {"true width, HR px": widths(truth), "estimated width, HR px": widths(prior)}
    low, high = (float(end(torch.stack(list(maps.values())))) for end in (torch.min, torch.max))
    axes[0].imshow(sample.lr[0].permute(1, 2, 0))
    axes[0].set_title(f"LR, {arguments.image}, {arguments.blur} blur, x2")
    for place, (name, values) in zip(axes[1:3], maps.items(), strict=True):
        shown = place.imshow(values, vmin=low, vmax=high)
        place.set_title(name)
        figure.colorbar(shown, ax=place, shrink=0.8)
    top, left = arguments.corner
    for place, (name, picture) in zip(axes[4:], pictures.items(), strict=True):
        crop = picture[0, :, top : top + 120, left : left + 120].clamp(0, 1)
        place.imshow(crop.permute(1, 2, 0))
        place.set_title(name)
    for place in axes:
        place.set_axis_off()
    figure.savefig(arguments.out, dpi=70)


if __name__ == "__main__":
    main()
