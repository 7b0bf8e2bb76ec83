"""`sr-lab run`: one run, or a sweep over a grid."""

import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sr_lab.errors import UserError

HELP = """sr-lab run [key=value ...]       one run
sr-lab run -m key=a,b ...        a sweep: every combination, each a process of its own

Examples
  sr-lab run experiment=smoke                        a whole run on a small image, half a minute
  sr-lab run experiment=dip_fkp dataset=set5 scale=2 DIP-FKP by the paper's recipe
  sr-lab run method=non_blind prior=oracle dataset=folder dataset.images.root=DIR
  sr-lab run -m prior=fkp,softmax,double_dip 'seed=range(0,3)' sweep.slots=2

Choices (group=choice)
{groups}

Options
  -m, --multirun        run every combination of a,b  choice(a,b)  range(0,3)  glob(*)
  --cfg job [--resolve] print the composed config and stop
  --config-dir DIR      add a folder with config groups of your own
  --info                what Hydra sees
Every key of conf/ can be overridden: sr-lab run --cfg job shows them all.
Results go to out/name/signature/seed<k>; a run whose record is whole is not repeated (force=true does).
A sweep started again skips what is complete, resumes what was interrupted and retries what failed.
"""


def main(arguments: Sequence[str]) -> None:
    """Dispatch: help, a sweep, Hydra's own flags, or one run.

    Raises:
        UserError: the config or the input is at fault.
    """
    if any(flag in arguments for flag in ("--help", "-h")):
        from sr_lab.config.compose import groups

        lines = (f"  {group:<13} {', '.join(choices)}" for group, choices in groups().items())
        print(HELP.format(groups="\n".join(lines)))
        return
    overrides, folders, others = _split(arguments)
    if set(others) & {"-m", "--multirun"} and not set(others) - {"-m", "--multirun"}:
        _sweep(overrides, folders, arguments)
        return
    if others:
        _hydra(arguments)
        return
    from sr_lab.config.compose import compose, to_plain

    _finish(to_plain(compose(overrides, folders)), arguments)


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Overrides, folders of --config-dir, and whatever else only Hydra knows."""
    overrides: list[str] = []
    folders: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in ("--config-dir", "-cd"):
            folders.append(next(rest, ""))
        elif argument.startswith("--config-dir="):
            folders.append(argument.partition("=")[2])
        elif argument.startswith("-"):
            others.append(argument)
        else:
            overrides.append(argument)
    return overrides, folders, others


def _sweep(overrides: Sequence[str], folders: Sequence[str], arguments: Sequence[str]) -> None:
    """Run every cell; exit code 1 if any failed, 130 after an interruption."""
    from sr_lab.sweep.multirun import multirun
    from sr_lab.sweep.overrides import expand
    from sr_lab.sweep.progress import summary

    command = shlex.join(["sr-lab", "run", *arguments])
    with interruptible():
        outcome, frozen = multirun(expand(overrides, folders), folders, command)
    print(summary(outcome.ended, {cell.job.directory: cell.job.label for cell in frozen}, outcome.before))
    if outcome.failures:
        sys.exit(1)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end a sweep in order: jobs stopped, exit code 130."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt  # not by way of SIGINT, which shells let their background jobs ignore

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


def _finish(config: dict[str, object], arguments: Sequence[str]) -> None:
    """Run, and say where the results are."""
    from sr_lab.run import run

    record, directory = run(config, command=shlex.join(["sr-lab", "run", *arguments]))
    if record is None:
        return
    for name, measures in record.metrics.items():
        print(f"{name:<22} {measures.mean:9.4f} {measures.unit:<3} {measures.protocol}")
    for name, value in record.fit.items():
        print(f"{name:<22} {value:.6g}")
    for note in record.notes:
        print(f"note: {note}")
    if config["save_weights"]:
        print(f"weights: '{config['save_weights']}' in `sr-lab weights list`")
    print(f"record: {directory / 'result.json'}")


def _hydra(arguments: Sequence[str]) -> None:
    """Hand over to Hydra for --cfg, --info."""
    import hydra
    from omegaconf import DictConfig

    from sr_lab.config import resolvers
    from sr_lab.config.compose import to_plain
    from sr_lab.config.paths import conf_dir

    resolvers.register()

    def job(config: DictConfig) -> None:
        _finish(to_plain(config), arguments)

    saved = sys.argv
    sys.argv = ["sr-lab run", *arguments]
    try:
        hydra.main(config_path=str(conf_dir()), config_name="config", version_base="1.3")(job)()
    except UserError:
        raise
    finally:
        sys.argv = saved
