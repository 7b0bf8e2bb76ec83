"""`sr-lab sync`: offline runs to wandb, after saying what goes."""

from pathlib import Path

import typer

from sr_lab.errors import UserError
from sr_lab.tracking.sync import describe, find_pending, send
from sr_lab.tracking.wandb import why_not_online


def sync(root: Path, yes: bool) -> None:
    """List what waits, ask, and send it run by run.

    Raises:
        UserError: no folder, no way to the server, or a run that did not get through.
    """
    pending = find_pending(root)
    if not pending:
        typer.echo("nothing waits to be sent")
        return
    typer.echo(describe(pending))
    if not yes and not typer.confirm("send this?"):
        return
    problem = why_not_online()
    if problem:
        raise UserError(
            f"wandb cannot be reached: {problem}", where=str(root), fix="nothing was sent; try again"
        )
    for place, one in enumerate(pending, 1):
        send(one)
        typer.echo(f"[{place}/{len(pending)}] sent {one.title}")
