"""Search with Optuna: it proposes, the launcher runs, and the store on disk lets a search go on where it was."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sr_lab.config.errors import listing, nearest
from sr_lab.errors import UserError
from sr_lab.sweep.freeze import Freezer, Frozen
from sr_lab.sweep.job import Job
from sr_lab.sweep.launcher import PAUSE, Launcher, queue
from sr_lab.sweep.multirun import freezer_for, grouped, launcher_for
from sr_lab.sweep.progress import Progress
from sr_lab.sweep.space import Space, read_space
from sr_lab.tracking.record import Record
from sr_lab.tracking.status import Busy, Status, holding, read_status
from sr_lab.tracking.steps import reported

if TYPE_CHECKING:
    from optuna import Study, Trial

SEARCHES = "searches"
LOOK = 1.0  # seconds between looks at what runs report
JOB, REASON = "job", "reason"  # what a trial in the store says beside its parameters


@dataclass(frozen=True)
class Search:
    """A search as it was asked for.

    Args:
        overrides: some with a space, see `read_space`.
        trials: to have in the end, pruned ones among them.
        metric: to optimise; None: the first of the config.
        prune: stop trials that are behind the median of the others at the same step.
        seed: of the sampler; the runs' own is an override.
    """

    overrides: Sequence[str]
    config_dirs: Sequence[str] = ()
    trials: int = 20
    metric: str | None = None
    prune: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Found:
    """What came of a search: the store, its best value and how to have it, and how this session's jobs ended."""

    store: Path
    trials: int
    metric: str
    best: float | None
    command: str
    ended: dict[str, Status]
    labels: dict[str, str]
    before: int


def search(asked: Search) -> Found:
    """Run trials until the store has as many as were asked for.

    Raises:
        UserError: the space, a config or the launcher is at fault, Optuna is missing, or the search runs already.
    """
    try:
        import optuna
    except ImportError as error:
        fix = "pip install 'sr-lab[search]'"
        raise UserError("a search needs Optuna", where="sr-lab search", fix=fix) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = read_space(asked.overrides)
    launcher, in_process = launcher_for([space.fixed], asked.config_dirs)
    with freezer_for(in_process, asked.config_dirs) as freeze:
        middle = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=asked.seed)).ask()
        example = freeze(space.overrides(middle))  # a fault of the config shows here, before anything runs
        launcher.check([example.job])
        metric, higher = _objective(asked.metric, example)
        folder = example.job.folder.parents[2] / SEARCHES / _identity(asked, metric)
        with holding(folder) as had:
            if not had:
                raise UserError(
                    "another process drives this search", where=str(folder), fix="let it, or stop it"
                )
            study = optuna.create_study(
                storage=f"sqlite:///{folder.resolve() / 'optuna.sqlite'}",
                study_name="search",
                direction="maximize" if higher else "minimize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(n_startup_trials=4)
                if asked.prune
                else optuna.pruners.NopPruner(),
            )
            study.sampler = optuna.samplers.TPESampler(seed=asked.seed + len(study.trials))
            study.set_user_attr("metric", metric)
            with grouped(folder):
                return _Driver(asked, space, metric, study, launcher, freeze, example.job).drive(folder)


class _Driver:
    """The loop that asks, starts, prunes and tells."""

    def __init__(
        self,
        asked: Search,
        space: Space,
        metric: str,
        study: Study,
        launcher: Launcher,
        freeze: Freezer,
        example: Job,
    ) -> None:
        self.asked, self.space, self.metric, self.example = asked, space, metric, example
        self.study, self.launcher, self.freeze = study, launcher, freeze
        self.progress = Progress()
        self.running: dict[str, tuple[Job, list[Trial]]] = {}
        self.waiting: list[Job] = []
        self.passed_on: set[tuple[int, int]] = set()  # trial and step
        self.looked = 0.0
        self.ended: dict[str, Status] = {}
        self.labels: dict[str, str] = {}

    def drive(self, folder: Path) -> Found:
        """Ask and run until the store has enough trials; what fails counts too, so this ends."""
        from optuna.trial import TrialState

        before = self._done()
        unfinished = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        wanted = self.asked.trials - before
        self.progress.begin(self.asked.trials, min(before, self.asked.trials), self.launcher.parallel)
        interrupted = True
        try:
            while wanted > 0 or self.running:
                while wanted > 0 and self._room():
                    self._start(self._again(unfinished.pop()._trial_id) if unfinished else self.study.ask())
                    wanted -= 1
                self._launch()
                self._prune()
                for job, status in self.launcher.ended():
                    self._tell(job, status)
                self.progress.tick()
                time.sleep(PAUSE)
            interrupted = False
        finally:
            self.launcher.close(interrupted)
            self.progress.close()
        return self._found(folder, before)

    def _room(self) -> bool:
        """Whether one more trial could start; what waits is asked for first."""
        if self.waiting or len(self.running) >= self.launcher.parallel:
            return False
        return self.launcher.room(self.example)

    def _again(self, trial_id: int) -> Trial:
        """A trial that a killed search left behind, with the values it had."""
        from optuna import Trial

        trial = Trial(self.study, trial_id)
        known = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        self.passed_on |= {(trial.number, step) for step in known}
        return trial

    def _start(self, trial: Trial) -> None:
        try:
            frozen = self.freeze(self.space.overrides(trial), _label(trial))
        except UserError as error:
            trial.set_user_attr(REASON, str(error))
            self._fail(trial, Status("failed", str(error), final=True))
            return
        job = frozen.job
        trial.set_user_attr(JOB, job.directory)
        self.labels[job.directory] = job.label
        if job.directory in self.running:  # the same values as a trial at work
            self.running[job.directory][1].append(trial)
            return
        self.running[job.directory] = (job, [trial])
        self.progress.started(job)
        if read_status(job.folder).state != "complete":
            queue(job)
        self.waiting.append(job)

    def _launch(self) -> None:
        """Start what waits, unless it has a record or another sweep is at it, whose result is ours as well."""
        waiting, self.waiting = self.waiting, []
        for job in waiting:
            status = read_status(job.folder)
            if status.state == "complete":
                self._tell(job, status)
                continue
            try:
                self.launcher.start(job)
            except Busy:
                self.waiting.append(job)

    def _prune(self) -> None:
        """Pass on what runs have reported, and stop those that are behind."""
        if time.monotonic() - self.looked < LOOK:
            return
        self.looked = time.monotonic()
        for job, trials in self.running.values():
            steps = reported(job.folder, self.metric)
            for trial in trials:
                for step, value in steps:
                    if (trial.number, step) not in self.passed_on:
                        self.passed_on.add((trial.number, step))
                        trial.report(value, step)
            if steps and all(trial.should_prune() for trial in trials):
                step, value = steps[-1]
                self.launcher.stop(job, f"{self.metric} {value:.4g} at step {step}: behind the median")

    def _tell(self, job: Job, status: Status) -> None:
        from optuna.trial import TrialState

        _, trials = self.running.pop(job.directory)
        self.ended[job.directory] = status
        value = outcome(Record.read(job.folder), self.metric) if status.state == "complete" else None
        for trial in trials:
            if value is not None:
                self.study.tell(trial, value)
            elif status.state == "pruned":
                self.study.tell(trial, state=TrialState.PRUNED)
            else:
                trial.set_user_attr(REASON, status.reason or f"its record has no {self.metric}")
                self.study.tell(trial, state=TrialState.FAIL)
        self.progress.ended(job, status)

    def _fail(self, trial: Trial, status: Status) -> None:
        from optuna.trial import TrialState

        self.study.tell(trial, state=TrialState.FAIL)
        self.ended[f"trial {trial.number}"] = status
        self.labels[f"trial {trial.number}"] = _label(trial)

    def _done(self) -> int:
        from optuna.trial import TrialState

        done = (TrialState.COMPLETE, TrialState.PRUNED)
        return len(self.study.get_trials(deepcopy=False, states=done))

    def _found(self, folder: Path, before: int) -> Found:
        from optuna.trial import TrialState

        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        command, best = "", None
        if complete:
            trial, best = self.study.best_trial, self.study.best_value
            command = self.freeze(self.space.overrides(self._again(trial._trial_id))).job.command
        return Found(folder, self._done(), self.metric, best, command, self.ended, self.labels, before)


def outcome(record: Record, metric: str) -> float | None:
    """Value of a metric in a record: its mean over images, or of a fit the best validated, else the last."""
    if metric in record.metrics:
        return record.metrics[metric].mean
    return record.fit.get(f"best_{metric}", record.fit.get(metric))


def _objective(metric: str | None, example: Frozen) -> tuple[str, bool]:
    name = metric or next(iter(example.objectives), "")
    if name not in example.objectives:
        raise UserError(
            f"these runs have no metric '{name}'" + nearest(name, example.objectives),
            where="--metric",
            fix=listing(example.objectives),
        )
    return name, example.objectives[name]


def _identity(asked: Search, metric: str) -> str:
    """The same search has the same store, wherever and with however many trials it goes on."""
    said = sorted(
        override for override in asked.overrides if not override.startswith(("sweep=", "sweep.", "out="))
    )
    text = json.dumps([said, list(asked.config_dirs), metric])
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _label(trial: Trial) -> str:
    values = (f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in trial.params.items())
    return f"trial {trial.number}: {' '.join(values)}"
