"""How the numbers of a table are to be read, in words."""

from __future__ import annotations

from collections.abc import Sequence

from sr_lab.report.aggregate import Group
from sr_lab.report.companions import BASELINE, floor_of, stages_of
from sr_lab.report.interval import RESAMPLES
from sr_lab.report.wording import LEVEL

_FEW_IMAGES = 10
_TESTABLE = 6  # images from which a sign-flip test can come out below 5 %


def explain(groups: Sequence[Group], blocks: int, level: bool) -> list[str]:
    """One sentence for each thing that the table at hand shows, and for no other.

    Args:
        groups: all rows.
        blocks: between how many rules they stand.
        level: whether a row is marked as not significantly worse than the best.
    """
    estimates = [estimate for group in groups for estimate in group.estimates.values()]
    if not estimates:
        why = ": the images have no ground truth" if any(group.image_ids for group in groups) else ""
        return [f"No metric was measured{why}."]
    lines = ["Numbers are means over images, each image first averaged over its seeds."]
    sizes = [len(estimate.per_image) for estimate in estimates if estimate.interval]
    if sizes:
        rough = "; over so few images it is rough" if min(sizes) < _FEW_IMAGES else ""
        over = "images and seeds" if any(len(group.runs) > 1 for group in groups) else "images"
        how = f"bootstrap, {RESAMPLES} resamples, widened for small numbers"
        lines.append(f"In brackets: 95 % interval of the mean over {over} ({how}){rough}.")
    if any(estimate.spread is not None for estimate in estimates):
        lines.append("Seed sd: standard deviation, over seeds, of the mean of one seed.")
    if any(floor_of(name, group.estimates) for group in groups for name in group.estimates):
        lines.append("Zero kernel: what an all-zero kernel scores; kernel PSNR counts from there.")
    names = [name for group in groups for name in group.estimates]
    stages = sorted({stage for name in names for stage in stages_of(name, names)})
    if BASELINE in stages:
        stages.remove(BASELINE)
        lines.append("Bicubic: what bicubic interpolation reaches on the same images.")
    if stages:
        lines.append(f"Beside {', '.join(stages)}: the same metric for that picture on the way to SR.")
    if len(groups) > blocks:
        best = "best mean" if blocks == 1 else "best mean among the rows between two rules"
        lines.append(f"Bold: {best}.")
        if level:
            lines.append(
                f"{LEVEL}: not significantly worse than the best (paired sign-flip test over images at 5 %, "
                "corrected by Holm for the rows, and the interval of the difference, which knows of seeds)."
            )
        elif sizes and min(sizes) < _TESTABLE:
            lines.append("Too few images to test which rows are level with the best.")
        if any(group.is_bound for group in groups):
            lines.append("Oracle rows were given the true kernel: they are bounds, and never bold.")
    return lines
