"""The command line. Imports nothing heavy until a command needs it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import sr_lab
from sr_lab.errors import UserError

app = typer.Typer(
    name="sr-lab",
    help="Blind image super-resolution across scenes: run, compare and use kernel priors and SR networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Blind image super-resolution across scenes."""
    if version:
        typer.echo(sr_lab.__version__)
        raise typer.Exit


@app.command("run", context_settings=PASS_ON)
def run_command(context: typer.Context) -> None:
    """One run, or with -m a multirun: sr-lab run experiment=dip_fkp scale=2 (run --help lists all choices)."""
    from sr_lab.commands.run import main as run_main

    run_main(context.args)


def main() -> None:
    """Entry point: a fault of the input is one paragraph and exit code 2."""
    try:
        app()
    except UserError as error:
        typer.echo(f"sr-lab: {error}", err=True)
        sys.exit(2)
