"""A progress bar on stderr: rate, time left, and what an interrupted run had already answered."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from harness.accuracy.plan import TaskPlan
from harness.lmeval.encoding import Unit
from harness.records.record import Record
from minizoo.display.bars import TerminalBar


class EvalProgress(TerminalBar):
    """Watches an evaluation. Draws on a terminal; elsewhere it says one line a finished task."""

    def __init__(self, quiet: bool, packs: bool = True) -> None:
        super().__init__(quiet, _make_bar)
        self._lines, self._packs = not quiet, packs
        self._task: Any = None

    def planned(self, plans: Sequence[TaskPlan]) -> None:
        """Know the whole: the tokens of every task, and how many of them sharing saves."""
        if self._lines and self._packs:
            from harness.accuracy.plan import sharing

            asked, computed = sharing(plans)
            if asked:
                saved = f"{asked:,} tokens to score, {computed:,} to compute ({asked / computed:.1f}× fewer)"
                print(saved, file=sys.stderr)
        if self._bar:
            total = sum(plan.tokens for plan in plans)
            self._task = self._bar.add_task(f"{len(plans)} tasks", total=total)

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


def _make_bar() -> Any:
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
