"""The wandb workspace of a sweep and the template of its report, as code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from sr_lab.errors import UserError

METRICS = ("psnr_y", "ssim_y", "kernel_psnr")


def specification(project: str, entity: str, metrics: Sequence[str] = METRICS) -> str:
    """JSON of workspace and report, made without network or login.

    Raises:
        UserError: wandb-workspaces is not installed.
    """
    workspace, report = build(project, entity, metrics)
    models = {"workspace": workspace, "report": report}
    made = {name: json.loads(one._to_model().model_dump_json(by_alias=True)) for name, one in models.items()}
    return json.dumps(made, indent=2)


def save(project: str, entity: str, metrics: Sequence[str] = METRICS) -> list[str]:
    """Make both on the server; returns their addresses.

    Raises:
        UserError: wandb-workspaces is not installed, or the server cannot be reached.
    """
    import wandb

    from sr_lab.tracking.wandb import why_not_online

    problem = why_not_online()
    if problem:
        raise UserError(
            f"wandb cannot be reached: {problem}", where="sr-lab dashboard", fix="--show prints it without"
        )
    made = build(project, entity or str(wandb.Api().default_entity), metrics)
    for one in made:
        one.save()
    return [str(one.url) for one in made]


def build(project: str, entity: str, metrics: Sequence[str]) -> tuple[Any, Any]:
    """The workspace and the report, not saved.

    Raises:
        UserError: wandb-workspaces is not installed.
    """
    try:
        wr: Any = import_module("wandb_workspaces.reports.v2")
        ws: Any = import_module("wandb_workspaces.workspaces")
    except ImportError as error:
        raise UserError(
            "wandb-workspaces is not installed",
            where="sr-lab dashboard",
            fix="pip install 'sr-lab[dashboards]'",
        ) from error
    sections = _sections(wr, metrics)
    workspace = ws.Workspace(
        entity=entity,
        project=project,
        name="sr_lab sweep",
        sections=[
            ws.Section(name=name, panels=panels, is_open=place < 2)
            for place, (name, _, panels) in enumerate(sections)
        ],
    )
    blocks: list[Any] = [
        wr.H1("Question"),
        wr.P(
            "What is compared, and what would change our mind. The tests stand in the sr-lab report of the records."
        ),
        wr.TableOfContents(),
    ]
    for name, text, panels in sections:
        runs = wr.Runset(name="all runs")  # of the report's own project; naming one asks the server
        blocks += [wr.H1(name), wr.P(text), wr.PanelGrid(runsets=[runs], panels=panels)]
    blocks += [wr.H1("Findings"), wr.P("...")]
    report = wr.Report(
        entity=entity, project=project, title="sr_lab sweep", description="Template", blocks=blocks
    )
    return workspace, report


def _sections(wr: Any, metrics: Sequence[str]) -> list[tuple[str, str, list[Any]]]:
    """(name, what to look for, panels) of what a sweep needs."""
    summary = [f"metric/{name}" for name in metrics]
    results = [
        wr.BarPlot(
            title=f"{name} by prior",
            metrics=[wr.SummaryMetric(key)],
            groupby=wr.Config("prior.name"),
            groupby_aggfunc="mean",
            groupby_rangefunc="stddev",
        )
        for name, key in zip(metrics, summary, strict=True)
    ]
    results += [
        wr.ScatterPlot(
            title=f"{metrics[0]} against time",
            x=wr.SummaryMetric("seconds_per_image"),
            y=wr.SummaryMetric(summary[0]),
            log_x=True,
        ),
        wr.ParallelCoordinatesPlot(
            title="choices and results",
            columns=[
                wr.ParallelCoordinatesPlotColumn(metric=metric)
                for metric in (
                    *map(wr.Config, ("prior.name", "method.name", "scale")),
                    *map(wr.SummaryMetric, summary),
                )
            ],
        ),
        wr.RunComparer(diff_only="split"),
    ]
    curves = [
        wr.LinePlot(title=f"{name} while optimising", x="optimisation/step", y=[f"optimisation/{name}"])
        for name in ("loss", *(name for name in metrics if name != "ssim_y"))
    ]
    training = [
        wr.LinePlot(title=title, x="training/step", y=[key], log_y=log)
        for title, key, log in (
            ("training loss", "training/l1", True),
            ("validation PSNR", "training/val_psnr", None),
        )
    ]
    pictures = [
        wr.MediaBrowser(title="side by side", media_keys=["images/*"], num_columns=1),
        wr.MediaBrowser(title="kernels, true and estimated", media_keys=["kernels/*"], num_columns=4),
        wr.WeavePanelSummaryTable(table_name="per_image"),
    ]
    return [
        (
            "Results",
            "Means over seeds; bars are standard deviations. Protocols stand in the config.",
            results,
        ),
        ("Optimisation", "Does the loss still fall where PSNR no longer rises?", curves),
        ("Training", "Only for methods that were fitted.", training),
        ("Images", "The same region of every run; kernels on one colour scale.", pictures),
    ]
