"""What the README says of results.csv files: means by camera, and guidance paired by seed.

    python experiments/infrared/summarise.py

Writes summary.json.
"""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

HERE = Path(__file__).parent
METRICS = ("psnr_grey", "ssim_grey", "rmse_unit", "hot_spot", "drift", "consistency", "stripes")
T_OF_TWO = 4.303  # 97.5 % of Student's t with two degrees of freedom


def rows(study: str) -> list[dict[str, str]]:
    """Lines of a study's results.csv."""
    with (HERE / study / "results" / "results.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def by_camera(study: str) -> dict[str, dict[str, float]]:
    """Means over frames of each set, then over seeds; spread over seeds of the mean over all."""
    values: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for row in rows(study):
        if row["metric"].split("@")[0] in METRICS:
            for group in (row["image"].split("/")[0], "all"):
                values[row["metric"]][group][row["seed"]].append(float(row["value"]))
    found: dict[str, dict[str, float]] = {}
    for metric, groups in values.items():
        found[metric] = {group: mean(mean(one) for one in seeds.values()) for group, seeds in groups.items()}
        found[metric]["seed sd"] = _spread(mean(one) for one in groups["all"].values())
    return found


def guidance() -> dict[str, dict[str, float]]:
    """Differences from no guidance, paired by seed, with 95 % intervals."""
    settings = json.loads((HERE / "guidance" / "settings.json").read_text(encoding="utf-8"))  # of the records
    kinds = {signature: _kind(guidance) for signature, guidance in settings.items()}
    values: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for row in rows("guidance"):
        if row["metric"].startswith("psnr_grey") and not row["metric"].endswith("bicubic"):
            values[row["metric"]][kinds[row["signature"]]][row["seed"]].append(float(row["value"]))
    found: dict[str, dict[str, float]] = {}
    for metric, by_kind in values.items():
        for kind, seeds in by_kind.items():
            if kind != "none":
                apart = [mean(one) - mean(by_kind["none"][seed]) for seed, one in seeds.items()]
                reach = T_OF_TWO * stdev(apart) / math.sqrt(len(apart))
                middle = mean(apart)
                found[f"{kind}, {metric}"] = {"mean": middle, "low": middle - reach, "high": middle + reach}
    return found


def main() -> None:
    """Print and write."""
    found = {study: by_camera(study) for study in ("training", "training_x2")}
    summary = {**found, "guidance": guidance()}
    for study, table in summary.items():
        for name, row in table.items():
            print(study, name, {key: round(value, 3) for key, value in row.items()})
    (HERE / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


def _kind(settings: dict[str, Any]) -> str:
    """`none`, or how the terms enter and which they are."""
    name = settings["_target_"].rsplit(".", 1)[1].lower()
    if name == "unguided":
        return "none"
    terms = " and ".join(term for term, weight in settings["terms"].items() if weight)
    return f"{terms}, {name}" + (f", {settings['sign']} sign" if "sign" in settings else "")


def _spread(values: Iterable[float]) -> float:
    listed = list(values)
    return stdev(listed) if len(listed) > 1 else 0.0


if __name__ == "__main__":
    main()
