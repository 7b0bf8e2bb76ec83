"""`sr-lab upscale`: progress and exit codes around `sr_lab.upscale`."""

import sys
from pathlib import Path
from typing import Any

from sr_lab.errors import UserError


def main(inputs: list[Path], **options: Any) -> None:
    """Restore the inputs and say what became of each; exit code 2 if any failed, 130 if it was stopped.

    Raises:
        UserError: nothing to do, or options that fit no file.
    """
    missing = [path for path in inputs if not path.exists()]
    if missing:
        raise UserError("no such file or folder", where=str(missing[0]), fix="check the path")
    from tqdm import tqdm

    from sr_lab.upscale import Options, Outcome, upscale

    def show(outcome: Outcome) -> None:
        # past the progress bar
        tqdm.write(outcome.message, file=sys.stdout if outcome.target else sys.stderr)

    try:
        outcomes = upscale(inputs, Options(**options), show)
    except KeyboardInterrupt:
        print("stopped; what is written is whole, and the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    failed = sum(outcome.target is None for outcome in outcomes)
    if failed:
        print(f"{failed} of {len(outcomes)} files could not be restored", file=sys.stderr)
        sys.exit(2)
