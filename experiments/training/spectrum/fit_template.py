"""Measure how photographs' spectra vary: the template's coefficients on every image of a folder.

python experiments/training/spectrum/fit_template.py $SR_LAB_DATA/natural/bsd400 sr_lab/priors/spectral/natural.json
"""

import argparse
import json
from pathlib import Path

import torch

from sr_lab.data.images import ImageFolder
from sr_lab.io.atomic import write_text
from sr_lab.priors.spectral.aliases import template
from sr_lab.priors.spectral.luminance import luminance
from sr_lab.priors.spectral.periodogram import periodogram

HIGHEST = 0.45  # cycles per pixel: beyond, JPEG and demosaicking speak


def coefficients(image: torch.Tensor) -> torch.Tensor:
    """Whittle's estimate of beta for one unblurred image."""
    measured = periodogram(luminance(image[None])[0, 0], side=128)
    keep = torch.hypot(measured.fy, measured.fx) < HIGHEST
    basis, power = template(measured.fy[keep], measured.fx[keep]), measured.power[keep].clamp_min(1e-14)
    beta = torch.linalg.lstsq(basis, power.log()[:, None]).solution[:, 0]
    for _ in range(100):  # steps of Fisher scoring from too low a spectrum overshoot: none is longer than 0.3
        step = torch.linalg.solve(basis.mT @ basis, basis.mT @ (1 - power * torch.exp(-basis @ beta)))
        beta = beta - step.clamp(-0.3, 0.3)
    return beta


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="unblurred photographs")
    parser.add_argument("out", type=Path, help="JSON to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images = ImageFolder(str(arguments.folder), channels=3)
    found = torch.stack([coefficients(images[index]) for index in range(len(images.ids))])
    result = {
        "made_by": f"experiments/training/spectrum/fit_template.py on {len(found)} images of {arguments.folder.name}",
        "mean": [round(value, 6) for value in found.mean(0).tolist()],
        "covariance": [[round(value, 6) for value in row] for row in torch.cov(found.mT).tolist()],
    }
    write_text(arguments.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
