"""`sr-lab study`: a study's grid from its plan to its report."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from sr_lab.commands.run import interruptible


def main(folder: Path, overrides: Sequence[str], config_dirs: Sequence[str], dry_run: bool) -> None:
    """Validate, say what is to come, run, report; exit code 1 if a job failed.

    Raises:
        UserError: the study file or a cell is at fault; nothing has run.
    """
    from sr_lab.sweep.progress import summary
    from sr_lab.sweep.study import plan, report, run_study, strays

    planned = plan(folder, overrides, config_dirs)
    print(planned.text(), flush=True)
    if dry_run:
        return
    with interruptible():
        outcome = run_study(planned, shlex.join(["sr-lab", "study", str(folder), *overrides]))
    print(
        summary(
            outcome.ended, {cell.job.directory: cell.job.label for cell in planned.frozen}, outcome.before
        )
    )
    if len(outcome.failures) < len(outcome.ended):
        others = strays(planned)
        if others:
            print(f"note: {others} records in {planned.runs} are of other grids; the report has them too")
        for path in report(planned):
            print(path)
    if outcome.failures:
        sys.exit(1)
