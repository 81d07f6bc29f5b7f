"""Which baseline each evaluation is held against: the one that the plan names for its model, else that of the model's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from harness.baselines.file import Baseline, load_baselines
from harness.baselines.read import read_outcomes
from harness.fleet.plan.drafts import Draft
from harness.fleet.plan.evaluated import of_way
from harness.fleet.plan.loading import PlanFile
from harness.fleet.plan.schema import CPU
from harness.records.night import Finding
from harness.records.record import Record


class HeldAgainst:
    """The baselines of a plan. Raises InvalidNightPlan for a name that its file does not have, with the line."""

    def __init__(self, file: PlanFile) -> None:
        self._file = file
        self._records: dict[str, list[Record]] = {}
        for at, planned in enumerate(file.plan.models):
            if planned.baseline is not None and planned.baseline not in self._baselines:
                listing = f"{file.baselines} has them." if file.baselines else "The plan names no file of `baselines:`."
                path = ("models", at, "baseline")
                raise file.unknown(path, "baseline", planned.baseline, self._baselines, listing)

    def against(self, drafts: Sequence[Draft]) -> tuple[list[Draft], list[Finding]]:
        """The evaluations, each with its baseline where it has one; and those that have none, told.

        A named baseline is taken for its own suite, whatever it ran by and on; one of the model's own name for the same suite,
        backend and kind of machine, since with another nobody said that they are to be equal. What reading a bundle raises.
        """
        told: list[Finding] = []
        done: list[Draft] = []
        for draft in drafts:
            name = self._name(draft)
            done.append(draft if name is None else replace(draft, job=draft.job.model_copy(update={"baseline": name})))
            is_series = draft.subject.label is not None or draft.job.steps[0].role == "parent"
            if name is None and self._baselines and not is_series:
                told.append(self._without(draft))
        return done, told

    def _name(self, draft: Draft) -> str | None:
        job, subject = draft.job, draft.subject
        if subject.label is not None or job.steps[0].role == "parent" or job.suite is None:
            return None
        if (named := subject.planned.baseline) is not None:
            return named if any(record.suite == job.suite for record in self._of(named)) else None
        place = (job.suite, job.backend or "", job.accelerator or CPU)
        own = [name for name in (subject.shown, subject.ref.id) if name in self._baselines]
        return next((name for name in own if any(of_way(record, *place) for record in self._of(name))), None)

    def _without(self, draft: Draft) -> Finding:
        job, shown = draft.job, draft.subject.shown
        way = f"suite {job.suite} by {job.backend} on {job.accelerator or CPU}"
        text = f"{shown} on {way} is held against no baseline: {self._file.baselines} has none of it of that kind."
        return Finding(kind="told", about=shown, text=text)

    @cached_property
    def _baselines(self) -> dict[str, Baseline]:
        return load_baselines(self._file.baselines) if self._file.baselines else {}

    def _of(self, name: str) -> list[Record]:
        if name not in self._records:
            assert self._file.baselines is not None
            outcomes = read_outcomes(self._baselines[name], self._file.baselines.parent)
            self._records[name] = [outcome.record for outcome in outcomes]
        return self._records[name]
