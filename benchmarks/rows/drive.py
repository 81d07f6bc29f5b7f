"""Running the steps that are open, one after the other, until all are done, the time is up or the machine is busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from benchmarks.rows.command import Options, command_of
from benchmarks.rows.outcome import figure_of, is_valid, new_runs, outcome_of, records_of, stopping_error
from benchmarks.rows.plan import LeftOut, Plan, Step, Sweep, gigabytes
from benchmarks.rows.process import Finished, Runner
from benchmarks.rows.state import TRIES, Attempt, State, is_open, needs_longer, save
from harness.records.record import Record

LEAST_S = 30.0
"""A step is not begun with less: loading alone takes as much."""


@dataclass(frozen=True)
class Ending:
    """Why no further step is run now."""

    why: Literal["all", "time", "busy"]
    text: str = ""


@dataclass
class Drive:
    """The steps of a plan, run from where the state stands. `tell` gets a line for a person; `now` are seconds of a clock."""

    plan: Plan
    options: Options
    state: State
    run_command: Runner
    tell: Callable[[str], None]
    deadline: float
    now: Callable[[], float] = time.monotonic
    _tried: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.minutes = self._minutes()
        """Of the whole call."""

    def run(self) -> Ending:
        """Run them. Raises the error that would stop every other step too, NotWritable for a full disk, KeyboardInterrupt.

        The state on disk is right whenever this process ends, however it ends.
        """
        self.settle()
        for step in self._next_steps():
            if self.deadline - self.now() < LEAST_S:
                return Ending("time")
            ended = self._run(step)
            if ended.outcome == "busy" and not self.options.even_if_busy:
                return Ending("busy", ended.told)
        return Ending("all")

    def settle(self) -> None:
        """Give the records of a call that was killed to the step that it was at."""
        for key, attempt in self.state.going_on():
            for step in self._known_steps():
                if step.key == key:
                    ended = self._ended(step, attempt, None)
                    self.tell(
                        f"{step.name} was going on when the last call was killed: {ended.outcome} {ended.told}".rstrip()
                    )

    def left(self) -> list[str]:
        """Names of the steps that are still to be run, by this call or another; of a sweep the next one."""
        return [step.name for step in self._open_steps()]

    def given_up(self) -> list[tuple[Step, Attempt]]:
        """Steps that ended badly as often as they are tried, with how they did last."""
        begun = [(step, attempts[-1]) for step in self._known_steps() if (attempts := self.state.of(step.key))]
        return [(step, last) for step, last in begun if last.outcome in TRIES and not self._is_open(step)]

    def too_long(self) -> list[str]:
        """Steps that a call of as many minutes would not begin again."""
        return [step.name for step in self._open_steps() if self._needs_longer(step, self.minutes)]

    def notes(self) -> list[str]:
        """For the bundle: the steps that have no row, and why."""
        begun = [(step, attempts[-1]) for step in self._known_steps() if (attempts := self.state.of(step.key))]
        without = [f"{last.outcome}: {step.name}" for step, last in begun if _has_no_row(last)]
        ends = [end for entry in self.plan.entries if isinstance(end := self._next(entry), LeftOut)]
        return [*without, *(f"left out: {end}" for end in ends)]

    def records(self, step: Step) -> list[Record]:
        """The records of the attempt that counts."""
        return records_of(self.options.results, counted_runs(step.kind == "scoring", self.state.of(step.key)))

    def _minutes(self) -> float:
        return (self.deadline - self.now()) / 60

    def _run(self, step: Step) -> Attempt:
        self._tried.add(step.key)
        minutes, began = self._minutes(), self.now()
        attempt = Attempt(began=datetime.now(UTC), minutes=round(minutes, 2))
        self._keep(step, attempt)
        self.tell(f"{step.name} ({gigabytes(step.needs)}); {minutes:.1f} min left …")
        try:
            finished = self.run_command(command_of(step, self.options, minutes, self._scored(step)))
        except KeyboardInterrupt:
            self._ended(step, attempt.model_copy(update={"seconds": self.now() - began}), None, by_hand=True)
            raise
        ended = self._ended(step, attempt.model_copy(update={"seconds": self.now() - began}), finished)
        self.tell(f"  {ended.outcome} in {ended.seconds or 0:.0f} s: {ended.told}")
        if error := stopping_error(finished):
            raise error
        return ended

    def _ended(self, step: Step, attempt: Attempt, finished: Finished | None, by_hand: bool = False) -> Attempt:
        runs = new_runs(self.options.results, step, self.state.runs)
        records = records_of(self.options.results, runs)
        outcome, told = outcome_of(step, finished, records)
        if by_hand and outcome == "broken off":
            outcome, told = "stopped", figure_of(step, records)
        ended = attempt.model_copy(
            update={"outcome": outcome, "told": told, "runs": runs, "valid": sum(map(is_valid, records))}
        )
        self._keep(step, ended)
        return ended

    def _keep(self, step: Step, attempt: Attempt) -> None:
        self.state = self.state.with_attempt(step.key, attempt)
        save(self.options.results, self.state)

    def _scored(self, step: Step) -> list[str]:
        """Tasks that have their record already: the scoring leaves them out."""
        if step.kind != "scoring":
            return []
        kept = [record for record in self.records(step) if record.status != "infra_failed"]
        return [record.task.removeprefix("scoring.") for record in kept]

    def _needs_longer(self, step: Step, minutes: float) -> bool:
        return needs_longer(self.state.of(step.key), minutes, goes_on=_goes_on(step))

    def _is_open(self, step: Step) -> bool:
        return is_open(self.state.of(step.key), self.options.even_if_busy)

    def _next_steps(self) -> Iterator[Step]:
        """Open steps that this call has not begun yet; what an ended one left decides the next of a sweep."""
        for entry in self.plan.entries:
            while isinstance(step := self._next(entry), Step) and step.key not in self._tried:
                if self._needs_longer(step, self._minutes()):
                    before = self.state.of(step.key)[-1].minutes
                    self.tell(f"{step.name}: not begun, for {before:.1f} minutes were not enough before")
                    break
                yield step

    def _open_steps(self) -> list[Step]:
        return [step for entry in self.plan.entries if isinstance(step := self._next(entry), Step)]

    def _next(self, entry: Step | Sweep) -> Step | LeftOut | None:
        """The step, if it is open; of a sweep the next one, or the one that does not fit and so ends it."""
        if isinstance(entry, Step):
            return entry if self._is_open(entry) else None
        swept: list[Record] = []
        for step in entry.steps():
            if isinstance(step, LeftOut) or self._is_open(step):
                return step
            records = self.records(step)
            swept += records
            if not records or _is_over(swept, entry.workload.rule.patience):
                return None
        return None

    def _known_steps(self) -> Iterator[Step]:
        """Every step of the plan; of a sweep those that were begun."""
        for entry in self.plan.entries:
            if isinstance(entry, Step):
                yield entry
                continue
            for step in entry.steps():
                if isinstance(step, LeftOut) or not self.state.of(step.key):
                    break
                yield step


def counted_runs(goes_on: bool, attempts: Sequence[Attempt]) -> tuple[str, ...]:
    """The runs that count: those of the attempt with most valid records, the latest of several; all where each went on.

    Never chosen by a figure.
    """
    if goes_on:
        return tuple(run for attempt in attempts for run in attempt.runs)
    best = max(enumerate(attempts), key=lambda one: (one[1].valid, len(one[1].runs), one[0]), default=None)
    return best[1].runs if best else ()


def _has_no_row(attempt: Attempt) -> bool:
    """Whether a bundle has nothing of it; what was loaded and then did not fit has a row that says so."""
    return attempt.outcome in TRIES or (attempt.outcome == "does not fit" and not attempt.runs)


def _goes_on(step: Step) -> bool:
    """Whether it begins where it ended."""
    return step.kind == "scoring"


def _is_over(swept: Sequence[Record], patience: int) -> bool:
    from harness.speed.bench import is_over  # imports the engine

    return is_over(swept, patience)
