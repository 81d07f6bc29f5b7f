"""Progress of long steps on stderr, for the commands that take minutes: on a terminal bars, elsewhere lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from minizoo.display.steps import Step, shown
from minizoo.output import note

if TYPE_CHECKING:
    from harness.accuracy.plan import TaskPlan
    from harness.lmeval.encoding import Unit
    from harness.records.record import Record


class StepBar:
    """Call it with a step's name, how much of it is done, and how much there is; several steps may go on at a time.

    On a terminal each step is a bar. Elsewhere it is told when it has gone on for PATIENCE seconds, then every INTERVAL, and
    at its end where it took that long, also when nobody calls meanwhile. `quiet` (with --json, where the log of a night has
    stderr alone) draws no bar and leaves out the first line: what takes less than the interval says nothing.
    `live=False` draws only when called, for what a thread that draws would disturb.
    """

    def __init__(self, quiet: bool, unit: str = "", live: bool = True) -> None:
        self.quiet, self._unit = quiet, unit
        self._shown = shown(quiet, live)
        self._steps: dict[str, Step] = {}

    def __call__(self, step: str, done: int, of: int, unit: str | None = None) -> None:
        """Show that `done` of `of` (0: nobody knows of how much) is done of this step; with all of it the step is over."""
        self.show(step, done, of, unit)
        if of and done >= of:
            self.end(step)

    def fetched(self, step: str, done: int, of: int) -> None:
        """Show how much of the weights is there."""
        self(step, done, of, "B")

    def show(self, step: str, done: int, of: int, unit: str | None = None) -> None:
        """As a call, but the step goes on until `end`, with all of it done too."""
        going = self._steps.get(step) or self._begin(step, done, of, self._unit if unit is None else unit)
        going.done, going.of = done, of
        self._shown.update(going)

    def end(self, step: str, words: str = "") -> None:
        """The step is over, with these words if any; a step that has not begun is nothing."""
        if going := self._steps.pop(step, None):
            self._shown.end(going, words)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.close()

    def _begin(self, name: str, done: int, of: int, unit: str) -> Step:
        self._steps[name] = made = Step(name, of, unit, time.monotonic(), done, done)
        self._shown.begin(made)
        return made


class EvalProgress(StepBar):
    """The EvalWatcher of `minizoo eval`: its phases; of scoring and of generating the tokens, their rate and the time left."""

    def __init__(self, quiet: bool, packs: bool = True) -> None:
        super().__init__(quiet)
        self._packs = packs
        self._phase = ""
        self._done: dict[str, int] = {}
        self._of: dict[str, int] = {}

    def begins(self, phase: str) -> None:
        """What the run does from now on: `loading the model`, `scoring`, `generating` …"""
        if self._phase:
            self.end(self._phase)
        self._phase = phase
        if phase in self._of:
            self.show(phase, self._done.get(phase, 0), self._of[phase], "tokens")
        else:
            self.show(phase, 0, 0)

    def planned(self, plans: Sequence[TaskPlan]) -> None:
        """Take the whole: the tokens of every phase, and how many of them sharing prefixes saves."""
        for plan in plans:
            for unit in plan.units:
                self._of[_phase_of(unit)] = self._of.get(_phase_of(unit), 0) + unit.tokens
        if not self.quiet and self._packs:
            from harness.accuracy.plan import sharing

            asked, computed = sharing(plans)
            if asked:
                saved = f"{asked:,} tokens to score, {computed:,} to compute ({asked / computed:.1f}× fewer)"
                print(saved, file=sys.stderr)

    def noted(self, line: str) -> None:
        """Tell it at once, with --json too: it goes to stderr."""
        note(line)

    def answered(self, unit: Unit, computed: bool) -> None:
        """Advance by the unit's tokens; a generation counts at its limit, so its rate is an upper bound."""
        phase = _phase_of(unit)
        self._done[phase] = self._done.get(phase, 0) + unit.tokens
        if computed and phase == self._phase:
            self.show(phase, self._done[phase], self._of.get(phase, 0), "tokens")

    def recorded(self, record: Record) -> None:
        """Name the task just recorded."""
        if not self.quiet:
            print(f"{record.task}: {record.status}", file=sys.stderr)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.end(self._phase)
        super().__exit__(kind, error, trace)


def _phase_of(unit: Unit) -> str:
    return "generating" if hasattr(unit.request, "max_new_tokens") else "scoring"
