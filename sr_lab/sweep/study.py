"""A study: its grid validated, planned, run and reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sr_lab.config.errors import listing
from sr_lab.errors import UserError
from sr_lab.sweep.estimate import Estimate, estimate
from sr_lab.sweep.freeze import Frozen, freeze_all
from sr_lab.sweep.grid import GRID, Grid, read_grid, resolution
from sr_lab.sweep.launcher import Launcher, Outcome, run_jobs
from sr_lab.sweep.multirun import clear_forced, freezer_for, grouped, launcher_for, missing, write_manifest
from sr_lab.sweep.progress import Progress, duration

RESULTS = "results"
OVERHEAD = 8.0  # seconds a job to start Python, torch and Lightning, on an idle core


@dataclass(frozen=True)
class Plan:
    """A study that is known to be valid: what it will run, where, and for how long."""

    folder: Path
    grid: Grid
    cells: int
    frozen: list[Frozen]
    missing: list[Frozen]
    launcher: Launcher
    expected: Estimate

    @property
    def runs(self) -> Path:
        """Folder of all its runs."""
        return self.frozen[0].job.folder.parents[1]

    def text(self) -> str:
        """What a person wants to know before saying yes."""
        jobs, seeds = len(self.frozen), len(self.grid.seeds)
        lines = [self.grid.question, f"{self.cells} cells ({self.grid.design}) x {seeds} seeds: {jobs} jobs"]
        if jobs < self.cells * seeds:
            lines[-1] += f", since {self.cells * seeds - jobs} come to the same run as another"
        if self.grid.design == "fractional" and all(len(levels) == 2 for levels in self.grid.levels.values()):
            lines.append(f"resolution {resolution(self.grid.generators)}")
        lines.append(f"{jobs - len(self.missing)} complete, {len(self.missing)} to run")
        if self.missing:
            parallel = self.launcher.parallel
            work = self.expected.seconds + OVERHEAD * len(self.missing)
            known = len(self.missing) - self.expected.unknown
            lines[-1] += f", {parallel} at a time"
            lines.append(
                f"about {duration(work / parallel)}, from {self.expected.records} past records; "
                f"{known} of {len(self.missing)} jobs have their like among them"
                if known
                else "no past record tells how long that takes"
            )
        return "\n".join(lines)


def _name(folder: Path) -> str:
    """Of the runs: studies of one name in different folders, such as `training`, must not share theirs."""
    place = folder.resolve()
    return place.name if place.parent.name in ("", "experiments") else f"{place.parent.name}_{place.name}"


def plan(folder: Path, overrides: Sequence[str] = (), config_dirs: Sequence[str] = ()) -> Plan:
    """Read a study and validate every cell; nothing runs.

    Args:
        folder: with `grid.yaml`.
        overrides: put last in every cell, such as `sweep=slurm` or `out=DIR`.
        config_dirs: folders with groups of the user's own.

    Raises:
        UserError: the file, a cell, a comparison or the launcher is at fault.
    """
    grid = read_grid(folder / GRID)
    cells = grid.cells()
    name = _name(folder)
    jobs = [
        [*grid.overrides(cell, seed), f"name={name}", *overrides] for cell in cells for seed in grid.seeds
    ]
    labels = [
        " ".join([*(f"{factor}={level}" for factor, level in cell.items()), f"seed={seed}"])
        for cell in cells
        for seed in grid.seeds
    ]
    launcher, in_process = launcher_for(jobs, config_dirs)
    with freezer_for(in_process, config_dirs) as freeze:
        frozen = freeze_all(freeze, jobs, labels)
    _check_comparisons(grid, frozen)
    todo = missing(frozen)
    launcher.check(cell.job for cell in todo)
    expected = estimate(todo, frozen[0].job.folder.parents[2])
    return Plan(folder, grid, len(cells), frozen, todo, launcher, expected)


def run_study(plan: Plan, command: str = "") -> Outcome:
    """Bring every job of a plan to its end."""
    clear_forced(plan.frozen)
    with grouped(write_manifest(plan.frozen, command)):
        return run_jobs([cell.job for cell in plan.frozen], plan.launcher, Progress())


def report(plan: Plan) -> list[Path]:
    """Write the study's reports, one for each comparison, and keep its records beside them.

    Returns:
        what was written.
    """
    from sr_lab.report.render import write_report

    results = plan.folder / RESULTS
    written: list[Path] = []
    for comparison in plan.grid.comparisons or [{}]:
        baseline = {key: str(value) for key, value in comparison.items()}
        against = "_".join(f"{key}_{value}" for key, value in baseline.items())
        out = results / f"against_{against}" if len(plan.grid.comparisons) > 1 else results
        made = write_report(plan.runs, out, baseline or None)
        written += [made.html, made.markdown, made.csv]
    return written


def strays(plan: Plan) -> int:
    """Records among the study's runs that its grid does not ask for: of earlier grids."""
    wanted = {cell.job.folder for cell in plan.frozen}
    return sum(path.parent not in wanted for path in plan.runs.glob("*/seed*/result.json"))


def _check_comparisons(grid: Grid, frozen: Sequence[Frozen]) -> None:
    """Each names labels that some cell has.

    Raises:
        UserError: it does not.
    """
    for index, comparison in enumerate(grid.comparisons):
        for key, value in comparison.items():
            found = [cell.labels.get(key) for cell in frozen]
            have = {str(label) for label in found if label is not None}
            if have and None in found:
                have.add("none")
            if str(value) not in have:
                raise UserError(
                    f"no cell has {key}={value}",
                    where=f"comparisons[{index}]",
                    fix=listing(sorted(have))
                    if have
                    else listing(sorted({k for c in frozen for k in c.labels})),
                )
