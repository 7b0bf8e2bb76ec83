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

kernels_app = typer.Typer(
    no_args_is_help=True,
    help="Blur kernels of your own: check them, and see what a flow trained on them can make.",
    rich_markup_mode=None,
)
app.add_typer(kernels_app, name="kernels")
weights_app = typer.Typer(
    no_args_is_help=True, help="Shipped and imported checkpoints.", rich_markup_mode=None
)
app.add_typer(weights_app, name="weights")


class Upscaling(StrEnum):
    """Methods of `upscale`."""

    FAST = "fast"
    DIP_FKP = "dip_fkp"
    NETWORK = "network"
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


@app.command("study")
def study_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with grid.yaml.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="For every cell, such as sweep=slurm."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Validate and plan only.")] = False,
    config_dir: Annotated[
        list[str] | None, typer.Option("--config-dir", help="Folder with config groups of your own.")
    ] = None,
) -> None:
    """Validate every cell of a study's grid, say how long it takes, run what is missing, and report."""
    from sr_lab.commands.study import main as study_main

    study_main(folder, overrides or [], config_dir or [], dry_run)


@app.command("search")
def search_command(
    overrides: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...",
            help="'method.lr=tag(log,interval(1e-4,1e-2))'  prior=fkp,softmax  scale=2",
        ),
    ],
    trials: Annotated[int, typer.Option(min=1, help="To have in the end.")] = 20,
    metric: Annotated[str | None, typer.Option(help="To optimise; default the first of the config.")] = None,
    prune: Annotated[bool, typer.Option("--prune/--no-prune", help="Stop what is behind the median.")] = True,
    seed: Annotated[int, typer.Option(help="Of the search; the runs' own is an override.")] = 0,
    config_dir: Annotated[
        list[str] | None, typer.Option("--config-dir", help="Folder with config groups of your own.")
    ] = None,
) -> None:
    """Search settings with Optuna over the same launchers: interval(a,b), range(a,b) and a,b make the space.

    The store is out/searches/<id>/optuna.sqlite; the same command goes on with it, after a kill too.
    """
    from sr_lab.commands.search import main as search_main

    search_main(overrides, config_dir or [], trials=trials, metric=metric, prune=prune, seed=seed)


@app.command("runs")
def runs_command(
    root: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder with runs.")] = Path("runs"),
    filters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILTER]...", help="scale=2,4  prior=fkp  psnr_y>30  state!=complete"),
    ] = None,
    columns: Annotated[str, typer.Option(help="Comma-separated: labels, config keys, metrics.")] = "",
    sort: Annotated[str | None, typer.Option(help="Column; -COLUMN for the greatest first.")] = None,
    diff: Annotated[bool, typer.Option("--diff", help="How the two runs left differ.")] = False,
    sql: Annotated[str | None, typer.Option(help="SELECT ... from runs, config, measures.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a table.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the index anew.")] = False,
) -> None:
    """List, filter and compare runs: settings that differ, state, metrics; why jobs failed."""
    from sr_lab.commands.runs import main as runs_main

    runs_main(
        root,
        filters or [],
        columns=[column for column in columns.split(",") if column],
        sort=sort,
        diff=diff,
        sql=sql,
        as_csv=as_csv,
        rebuild=rebuild,
    )


@app.command("upscale")
def upscale_command(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Image files and folders.")],
    scale: Annotated[int, typer.Option("--scale", "-s", min=2, max=4, help="Factor: 2, 3 or 4.")] = 4,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("upscaled"),
    method: Annotated[
        Upscaling | None,
        typer.Option(
            help="fast: kernel in a second. dip_fkp: kernel in minutes. network: none, for bicubic decimation.",
            show_default="the scene's: fast for natural, network for the others",
        ),
    ] = None,
    prior_weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Kernel flow of your own for --method dip_fkp: a name in `sr-lab weights list` or a .pt file.",
        ),
    ] = None,
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

    Hyperspectral cubes (.mat, .npy, HDF5, ENVI, GeoTIFF) with --scene hyperspectral: a trained network enlarges them;
    --method fast for a blur that is unknown. Thermal frames (grey, counts, centi-kelvin) with --scene infrared.

    Radar images (.npy, GeoTIFF, SICD; complex or detected) with --scene sar: a trained network, which takes speckle
    away; --method bicubic keeps it, and interpolates SLCs by zeros around their spectrum.
    """
    from sr_lab.commands.upscale import main as upscale_main

    upscale_main(
        inputs,
        scale=scale,
        out=out,
        method=method and method.value,
        prior_weights=prior_weights,
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
    """Tables, tests, charts and crops of all runs below a folder: report.html (one file), .md, .csv, .tex."""
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


@app.command("sync")
def sync_command(
    root: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with runs, searched to the bottom.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")] = False,
) -> None:
    """Send runs that were tracked offline to wandb, after saying which, how many files and how many bytes."""
    from sr_lab.commands.sync import sync

    sync(root, yes)


@app.command("dashboard")
def dashboard_command(
    project: Annotated[str, typer.Option(help="wandb project.")] = "sr_lab",
    entity: Annotated[str, typer.Option(help="wandb team; default your own.")] = "",
    metric: Annotated[
        list[str] | None, typer.Option(help="Metric with panels of its own; repeatable.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print its JSON, without network, and make nothing.")
    ] = False,
) -> None:
    """Make the wandb workspace of a sweep, and the template of its report."""
    from sr_lab.tracking.dashboard import METRICS, save, specification

    if show:
        typer.echo(specification(project, entity, metric or METRICS))
        return
    for address in save(project, entity, metric or METRICS):
        typer.echo(address)


@app.command("doctor")
def doctor_command(
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Judge the images below it instead: were they enlarged before?"),
    ] = None,
) -> None:
    """What this machine has: devices, extras, weights, data; and a fix for each thing missing."""
    if data is not None:
        from sr_lab.data.audit import report

        for line in report(data):
            typer.echo(line)
        return
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
    pickled_module: Annotated[
        bool,
        typer.Option(
            "--pickled-module",
            help="The file is a whole pickled torch module, as ESSAformer's is. Loading such a file the usual way runs "
            "any code its author put there; this takes the tensors and runs none of it.",
        ),
    ] = False,
) -> None:
    """Check published checkpoints strictly (tensors only, every key) and keep them for configs to name."""
    from sr_lab.commands.weights import import_weights

    for line in import_weights(files, name, licence, pickled_module=pickled_module):
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
    from sr_lab.weights.keep import ship

    typer.echo(ship(run, name, licence, notes, folder))


KernelsPath = Annotated[Path, typer.Argument(metavar="PATH", help="Kernel file or folder of them.")]
FlowName = Annotated[
    str, typer.Argument(metavar="NAME", help="Flow: a name in `sr-lab weights list` or a .pt file.")
]


@kernels_app.command("check")
def kernels_check(
    path: KernelsPath,
    scale: Annotated[int, typer.Option("--scale", "-s", min=1, help="Factor they shall serve.")] = 4,
    size: Annotated[int | None, typer.Option(min=1, help="Odd side of the window; default: fitting.")] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="The files mean convolution: turn them by 180 degrees.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the contact sheet goes.")] = Path(
        "kernels.png"
    ),
) -> None:
    """Size, sum, centre and width of every kernel, what will be done to it, and a contact sheet.

    Exit code 1 if a kernel cannot be used.
    """
    from sr_lab.commands.kernels import check

    text, usable = check(path, scale=scale, size=size, flip=flip, out=out)
    typer.echo(text)
    if not usable:
        raise typer.Exit(1)


@kernels_app.command("sample")
def kernels_sample(
    name: FlowName,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many.")] = 25,
    seed: Annotated[int, typer.Option(min=0, help="Other seeds draw others.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for them.")] = Path("kernel_samples"),
) -> None:
    """Draw kernels from a flow: one .npy each (correlation, anchor `fkp`, sum 1), and a contact sheet."""
    from sr_lab.commands.kernels import sample

    typer.echo(sample(name, count=count, seed=seed, out=out))


@kernels_app.command("evaluate")
def kernels_evaluate(
    name: FlowName,
    kernels: Annotated[Path, typer.Option("--kernels", "-k", help="Kernel file or folder of them.")],
    flip: Annotated[
        bool, typer.Option("--flip", help="The files mean convolution: turn them by 180 degrees.")
    ] = False,
) -> None:
    """How likely a flow holds kernels, and how near it can come to them; beside it the shipped flow.

    Kernels that the flow has not learned from (held out, or new) are told apart by their content.
    """
    from sr_lab.commands.kernels import evaluate

    typer.echo(evaluate(name, kernels, flip=flip))


def main() -> None:
    """Entry point: a fault of the input is one paragraph and exit code 2."""
    # read when torch loads its threads: waiting by spinning slows a busy machine 3 to 10 times
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except UserError as error:
        typer.echo(f"sr-lab: {error}", err=True)
        sys.exit(2)
