"""What a person sees of a sweep: counts, failures and the time left; a bar on a terminal, lines in a log."""

from __future__ import annotations

import sys
import time

from sr_lab.sweep.job import LOG, Job
from sr_lab.tracking.status import Status


class Progress:
    """Counts the jobs of a sweep as they end, on standard error."""

    def __init__(self) -> None:
        self._total = self._complete = self._failed = self._running = self._before = 0
        self._parallel = 1
        self._started = time.monotonic()
        self._seconds: list[float] = []
        self._bar = None

    def begin(self, total: int, before: int, parallel: int) -> None:
        """Start the clock; `before` jobs were complete already, `parallel` run at a time."""
        self._total, self._complete, self._before, self._parallel = total, before, before, parallel
        said = f", {before} complete before" if before else ""
        print(f"{total} jobs{said}, {parallel} at a time", file=sys.stderr, flush=True)
        if sys.stderr.isatty() and total > before:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bar = Progress(
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.description}"),
                console=Console(file=sys.stderr),
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=total, completed=before)

    def started(self, job: Job) -> None:
        """A job runs or waits in a cluster's queue."""
        self._running += 1

    def retried(self, job: Job, status: Status) -> None:
        """A job failed and will be tried again."""
        self._running -= 1
        self._line(f"again      {describe(job)}: {status.reason}")

    def ended(self, job: Job, status: Status) -> None:
        """A job came to its end."""
        self._running -= 1
        self._seconds.append(status.seconds)
        if status.state == "complete":
            self._complete += 1
        else:
            self._failed += 1
        reason = "" if status.state == "complete" else f": {status.reason}"
        self._line(f"{status.state:<10} {describe(job)} ({status.seconds:.0f} s){reason}")

    def tick(self) -> None:
        """Keep the bar's clock going."""
        if self._bar is not None:
            self._bar.update(self._task, completed=self._complete + self._failed, description=self._counts())

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def left(self) -> float | None:
        """Seconds left, by the mean of the jobs so far; None before the first has ended."""
        if not self._seconds:
            return None
        jobs = self._total - self._complete - self._failed
        return jobs * sum(self._seconds) / len(self._seconds) / max(1, min(self._parallel, jobs))

    def _counts(self) -> str:
        seconds = self.left()
        left = f", about {duration(seconds)} left" if seconds else ""
        failed = f", {self._failed} failed" if self._failed else ""
        elapsed = duration(time.monotonic() - self._started)
        return f"{self._running} running{failed}, {elapsed}{left}"

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            done = self._complete + self._failed
            print(f"[{done}/{self._total}] {text} | {self._counts()}", file=sys.stderr, flush=True)


def summary(ended: dict[str, Status], labels: dict[str, str], before: int) -> str:
    """What became of a sweep: counts, then each failure with its reason and its log."""
    failures = {name: status for name, status in ended.items() if status.state not in ("complete", "pruned")}
    pruned = sum(status.state == "pruned" for status in ended.values())
    said = f" ({before} before)" if before else ""
    lines = [f"{len(ended) - len(failures) - pruned} complete{said}, {len(failures)} failed"]
    lines[0] += f", {pruned} pruned" if pruned else ""
    for name, status in failures.items():
        lines.append(f"  {status.state}: {labels.get(name) or name}: {status.reason}")
        lines.append(f"    log: {name}/{LOG}")
    if failures:
        lines.append("the same command does only what is missing")
    return "\n".join(lines)


def describe(job: Job) -> str:
    """A job by what tells it from the others."""
    return job.label or job.directory


def duration(seconds: float) -> str:
    """`42 s`, `3 min`, `2 h 10 min`, `3 d 4 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
