"""Error outside LR's band over a whole harbour scene, patch by patch: what centres recover where no target is alone.

    python experiments/sar/target/patches.py

Writes patches.json: 63 patches of 96x96 px of RADARSAT-1's terminals at x2, with 20 and 120 centres.
Three minutes of one core.
"""

import json
from pathlib import Path

from sr_lab.config.paths import data_root
from sr_lab.data.radar import RadarImages
from sr_lab.data.sample import Sample
from sr_lab.degradation.bandcut import Bandcut
from sr_lab.io.complex import intensity
from sr_lab.methods.scattering_centres import ScatteringCentres
from sr_lab.metrics.band import out_of_band_error

HERE = Path(__file__).parent
BAND = [0.716, 0.932]
SIDE, ATOMS = 96, (20, 120)


def main() -> None:
    """One row a patch."""
    image = RadarImages(str(data_root() / "sar"), "train", only=["radarsat1-1-terminals"])[0][None]
    cut = Bandcut(2, occupied=list(BAND))
    rows = []
    for top in range(0, image.shape[-2] - SIDE + 1, SIDE):
        for left in range(0, image.shape[-1] - SIDE + 1, SIDE):
            hr = image[..., top : top + SIDE, left : left + SIDE].contiguous()
            sample, power = Sample(cut(hr, None), 2, ["patch"]), intensity(hr)
            row = {
                "top": top,
                "left": left,
                "mean_db": 10 * float(power.mean().log10()),
                "peak_over_mean_db": 10 * float((power.max() / power.mean()).log10()),
            }
            for atoms in ATOMS:
                sr = ScatteringCentres(atoms, occupied=list(BAND)).restore(sample).sr
                row[f"out_of_band_error, {atoms}"] = out_of_band_error(sr, hr, cut.inside).item()
            rows.append({name: round(value, 2) for name, value in row.items()})
    summary: dict[str, object] = {"patches": len(rows)}
    for atoms in ATOMS:
        errors = sorted(row[f"out_of_band_error, {atoms}"] for row in rows)
        summary[f"{atoms} centres"] = {
            "least": errors[0],
            "median": errors[len(errors) // 2],
            "most": errors[-1],
            "patches below 1": sum(error < 1 for error in errors),
        }
    print(json.dumps(summary, indent=1))
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    text = json.dumps(summary, indent=1)[:-2] + f',\n "rows": [\n  {lines}\n ]\n}}\n'
    (HERE / "patches.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
