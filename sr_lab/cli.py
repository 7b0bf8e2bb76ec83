"""The command line. Imports nothing heavy until a command needs it."""

import os
import sys
from enum import StrEnum
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

weights_app = typer.Typer(
    no_args_is_help=True, help="Shipped and imported checkpoints.", rich_markup_mode=None
)
app.add_typer(weights_app, name="weights")


class Upscaling(StrEnum):
    """Methods of `upscale`."""

    FAST = "fast"
    DIP_FKP = "dip_fkp"
    BICUBIC = "bicubic"


PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Blind image super-resolution across scenes."""
    if version:
        typer.echo(sr_lab.__version__)
        raise typer.Exit


@app.command("run", context_settings=PASS_ON)
def run_command(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides and flags.")
    ] = None,
) -> None:
    """One run, or with -m a multirun: sr-lab run experiment=dip_fkp scale=2 (run --help lists all choices)."""
    from sr_lab.commands.run import main as run_main

    run_main(arguments or [])


@app.command("upscale")
def upscale_command(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Image files and folders.")],
    scale: Annotated[int, typer.Option("--scale", "-s", min=2, max=4, help="Factor: 2, 3 or 4.")] = 4,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("upscaled"),
    method: Annotated[Upscaling, typer.Option(help="How the kernel is had.")] = Upscaling.FAST,
    kernel: Annotated[
        Path | None, typer.Option(help="Known blur kernel (.mat, .npy, .png); skips the estimate.")
    ] = None,
    varying: Annotated[
        bool, typer.Option("--varying", help="Let the blur vary over the image, as behind a simple lens.")
    ] = False,
    noise: Annotated[
        float, typer.Option(min=0, max=0.2, help="Noise of the input, standard deviation in [0, 1].")
    ] = 0.0,
    scene: Annotated[str, typer.Option(help="Imaging modality.")] = "natural",
    save_kernel: Annotated[
        bool, typer.Option("--save-kernel", help="Write the estimated kernels as well.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    override: Annotated[
        list[str] | None,
        typer.Option("--set", help="Config override, such as method.iterations=1000; repeatable."),
    ] = None,
) -> None:
    """Restore your own images: PNG, JPEG, TIFF, 8 or 16 bit, grey or RGB(A), unknown blur.

    The blur kernel is estimated from each image in a second (--method dip_fkp: in minutes, as in the paper); the whole
    image is then restored with it and written as it came: same name, format, bit depth and alpha.
    """
    from sr_lab.commands.upscale import main as upscale_main

    upscale_main(
        inputs,
        scale=scale,
        out=out,
        method=method.value,
        kernel_file=kernel,
        varying=varying,
        noise_level=noise,
        save_kernels=save_kernel,
        overwrite=overwrite,
        device=device,
        overrides=[f"scene={scene}", *(override or [])],
    )


@app.command("report")
def report_command(
    root: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with runs, searched to the bottom.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write; default DIR itself.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            "-b",
            metavar="KEY=VALUE[,...]",
            help="Compare with it, e.g. prior=fkp: interval, test.",
        ),
    ] = None,
) -> None:
    """Table, crops and kernels of all runs below a folder: report.html (one file), report.md, results.csv."""
    from sr_lab.errors import UserError
    from sr_lab.report.render import write_report

    choice: dict[str, str] = {}
    for part in baseline.split(",") if baseline else []:
        key, _, value = part.partition("=")
        choice[key] = value
    if not all(choice.values()):
        raise UserError(
            f"'{baseline}' is not of the form key=value",
            where="--baseline",
            fix="for example --baseline prior=fkp",
        )
    for path in vars(write_report(root, out, choice)).values():
        typer.echo(path)


@app.command("doctor")
def doctor_command() -> None:
    """What this machine has: devices, extras, weights, data; and a fix for each thing missing."""
    from sr_lab.commands.doctor import as_text, examine

    findings = examine()
    typer.echo(as_text(findings))
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


@weights_app.command("list")
def weights_list() -> None:
    """Shipped and imported checkpoints, with licence and sha256."""
    from sr_lab.commands.weights import list_weights

    typer.echo(list_weights())


@weights_app.command("import")
def weights_import(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="FKP_x2/x3/x4.pt, usrnet_tiny.pth, ...")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name for configs; default by the published file name.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="SPDX identifier, if the file is not a known one.")
    ] = None,
) -> None:
    """Check published checkpoints strictly (tensors only, every key) and keep them for configs to name."""
    from sr_lab.commands.weights import import_weights

    for line in import_weights(files, name, licence):
        typer.echo(line)


@weights_app.command("add")
def weights_add(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a finished training run.")],
    name: Annotated[str, typer.Option(help="Name for configs.")],
    licence: Annotated[str, typer.Option(help="SPDX identifier.")] = "Apache-2.0",
    notes: Annotated[str, typer.Option(help="Training data, figures.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Default: your own weights folder.")] = None,
) -> None:
    """Keep the weights of your own training run under a name, with the command that made them."""
    from sr_lab.commands.weights import ship

    typer.echo(ship(run, name, licence, notes, folder))


def main() -> None:
    """Entry point: a fault of the input is one paragraph and exit code 2."""
    # read when torch loads its threads: waiting by spinning slows a busy machine 3 to 10 times
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except UserError as error:
        typer.echo(f"sr-lab: {error}", err=True)
        sys.exit(2)
