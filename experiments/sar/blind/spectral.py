"""Widths from the spectrum alone over twenty scenes: how often within 15 %. Writes spectral.json; half a minute."""

import json
import warnings
from pathlib import Path

import torch

from sr_lab.data.piecewise import PiecewiseScenes
from sr_lab.data.sample import Sample
from sr_lab.degradation.axis_gaussian import AxisGaussians
from sr_lab.degradation.chain import keyed_generator
from sr_lab.degradation.detected import DetectedBlur
from sr_lab.degradation.speckle import Speckle
from sr_lab.metrics.kernel import width_error
from sr_lab.priors.spectral.radar import SpectralRadar

SCENES, RANGE, AZIMUTH, LOOKS, SIDES = 20, 0.8, 2.4, (1, 4, 16), (256, 512, 1024)


def main() -> None:
    """Estimate, count, write."""
    warnings.simplefilter("ignore")
    result = {}
    kernels = AxisGaussians(2, size=21, sigma=(RANGE, RANGE), azimuth=(AZIMUTH, AZIMUTH), tilt=0)
    for side in SIDES:
        scenes = PiecewiseScenes(SCENES, side, rectangles=60 * (side // 256) ** 2)
        for looks in LOOKS:
            degradation = DetectedBlur(2, kernels, [Speckle(looks)])
            drawn = [
                degradation.degrade(scenes[n][None], keyed_generator(1, scenes.ids[n])) for n in range(SCENES)
            ]
            lr = torch.cat([one.lr for one in drawn])
            truth = torch.cat([one.kernel for one in drawn if one.kernel is not None])
            prior = SpectralRadar(looks)
            prior.start(Sample(lr, 2, scenes.ids, kernel=truth), degradation, [])
            widths = torch.stack([(one.shape / 2).exp() * 2 for one in prior.estimates])
            errors = torch.stack([width_error(prior.kernel(), truth, axis) for axis in (0, 1)], 1)
            result[f"{side} px, {looks} looks"] = {
                "axes": ["azimuth", "range"],
                "mean_width": [round(value, 3) for value in widths.mean(0).tolist()],
                "spread_of_widths": [round(value, 3) for value in widths.std(0).tolist()],
                "median_error_percent": [round(value, 1) for value in errors.median(0).values.tolist()],
                "share_within_15_percent": [
                    round(value, 2) for value in (errors < 15).double().mean(0).tolist()
                ],
            }
    Path(__file__).with_name("spectral.json").write_text(
        json.dumps(result, indent=2) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
