"""Progress bars on stderr: on a terminal a bar is drawn, elsewhere an evaluation prints a line a finished task."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from minizoo.output import note

if TYPE_CHECKING:
    from harness.accuracy.plan import TaskPlan
    from harness.lmeval.encoding import Unit
    from harness.records.record import Record


class TerminalBar:
    """A context manager that draws while it is open; `_bar` is None where nothing is to be drawn."""

    def __init__(self, quiet: bool, make: Callable[[], Any]) -> None:
        self._bar: Any = None if quiet or not sys.stderr.isatty() else make()

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()


class StepBar(TerminalBar):
    """Call it with a step's name, how much of it is done, and how much there is."""

    def __init__(self, quiet: bool) -> None:
        super().__init__(quiet, _make_step_bar)
        self._steps: dict[str, Any] = {}

    def __call__(self, step: str, done: int, of: int) -> None:
        """Show that `done` of `of` is done of this step."""
        if self._bar:
            if step not in self._steps:
                self._steps[step] = self._bar.add_task(step, total=of)
            self._bar.update(self._steps[step], completed=done, total=of)


class EvalProgress(TerminalBar):
    """The EvalWatcher of `minizoo eval`: tokens answered, rate and time left."""

    def __init__(self, quiet: bool, packs: bool = True) -> None:
        super().__init__(quiet, _make_eval_bar)
        self._lines, self._packs = not quiet, packs
        self._task: Any = None

    def planned(self, plans: Sequence[TaskPlan]) -> None:
        """Take the whole: the tokens of every task, and how many of them sharing prefixes saves."""
        if self._lines and self._packs:
            from harness.accuracy.plan import sharing

            asked, computed = sharing(plans)
            if asked:
                saved = f"{asked:,} tokens to score, {computed:,} to compute ({asked / computed:.1f}× fewer)"
                print(saved, file=sys.stderr)
        if self._bar:
            total = sum(plan.tokens for plan in plans)
            self._task = self._bar.add_task(f"{len(plans)} tasks", total=total)

    def noted(self, line: str) -> None:
        """Tell it at once, with --json too: it goes to stderr."""
        note(line)

    def answered(self, unit: Unit, computed: bool) -> None:
        """Advance by the unit's tokens."""
        if self._bar:
            self._bar.advance(self._task, unit.tokens)

    def recorded(self, record: Record) -> None:
        """Name the task just recorded."""
        if self._bar:
            self._bar.update(self._task, description=f"{record.task} {record.status}")
        elif self._lines:
            print(f"{record.task}: {record.status}", file=sys.stderr)


def _make_step_bar() -> Any:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True))


def _make_eval_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Tokens a second; a generation counts at its limit, so this is an upper bound there."""

        def render(self, task: Any) -> Text:
            """The rate so far."""
            return Text(f"{task.speed:,.0f} tokens/s" if task.speed else "– tokens/s")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
