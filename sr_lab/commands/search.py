"""`sr-lab search`: Optuna over the launchers."""

import sys
from collections.abc import Sequence
from typing import Any

from sr_lab.commands.run import interruptible


def main(overrides: Sequence[str], config_dirs: Sequence[str], **options: Any) -> None:
    """Search, then say what was found and how to have it again; exit code 1 if a trial failed.

    Raises:
        UserError: the space, a config or the launcher is at fault, or Optuna is missing.
    """
    from sr_lab.sweep.progress import summary
    from sr_lab.sweep.search import Search, search

    with interruptible():
        found = search(Search(overrides, config_dirs, **options))
    print(summary(found.ended, found.labels, found.before))
    print(f"{found.trials} trials done")
    if found.best is not None:
        print(f"best {found.metric}: {found.best:.6g}\n{found.command}")
    print(f"store: {found.store / 'optuna.sqlite'}")
    if any(status.state not in ("complete", "pruned") for status in found.ended.values()):
        sys.exit(1)
