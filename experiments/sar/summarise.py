"""What the README says of test/results: means over seeds, with their spread, by image, scale and way.

    python experiments/sar/summarise.py

Writes summary.json.
"""

import csv
import json
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev

HERE = Path(__file__).parent
SENSORS = {"radarsat1": "brackendale", "sentinel1": "sentinel1"}


def main() -> None:
    """Read, average, print and write."""
    values: dict[tuple[str, ...], dict[str, dict[str, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    with (HERE / "test" / "results" / "results.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if "@" not in row["metric"]:
                place = SENSORS[row["image"].split("-")[0]], f"x{row['scale']}", row["method"]
                values[place][row["metric"]][row["seed"]].append(float(row["value"]))
    found = []
    for (image, scale, way), metrics in sorted(values.items()):
        means = {metric: [mean(one) for one in seeds.values()] for metric, seeds in metrics.items()}
        found.append(
            {
                "image": image,
                "scale": scale,
                "way": way,
                "seeds": len(next(iter(means.values()))),
                "mean": {metric: round(mean(one), 4) for metric, one in means.items()},
                "seed sd": {metric: round(stdev(one), 4) for metric, one in means.items()},
            }
        )
        row = found[-1]
        print(image, scale, way, *(f"{name} {value:.3f}" for name, value in row["mean"].items()), sep="  ")
    (HERE / "summary.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
