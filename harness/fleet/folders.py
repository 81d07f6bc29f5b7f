"""Where the files of a night lie below the results folder that all machines of a fleet share.

nights/.lock                    held by the process that runs a night
nights/<night id>/plan.yaml     the plan's file as it was read
nights/<night id>/night.json    the night as planned (`Night`)
nights/<night id>/outcome.json  its end (`NightOutcome`)
nights/<night id>/report/       what it was told in: gate.md, gate.xml, table.txt, site/
nights/<night id>/jobs/<job>/   lock, attempt-N.log, results/ (the job's own), progress.json, outcome.json (`JobOutcome`)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NIGHTS = "nights"


def nights_folder(results: Path) -> Path:
    """Where all nights of a results folder lie."""
    return results / NIGHTS


@dataclass(frozen=True)
class NightFolder:
    """The folder of one night."""

    path: Path

    @property
    def results(self) -> Path:
        """The shared results folder that it lies in."""
        return self.path.parent.parent

    @property
    def plan(self) -> Path:
        """The plan as it was read."""
        return self.path / "plan.yaml"

    @property
    def night(self) -> Path:
        """The night as planned."""
        return self.path / "night.json"

    @property
    def outcome(self) -> Path:
        """Its end."""
        return self.path / "outcome.json"

    @property
    def report(self) -> Path:
        """What is read in the morning."""
        return self.path / "report"

    @property
    def untold(self) -> Path:
        """There from before its outcome is written until the report is whole."""
        return self.path / ".untold"

    def job(self, name: str) -> JobFolder:
        """The folder of one job."""
        return JobFolder(self.path / "jobs" / name)


@dataclass(frozen=True)
class JobFolder:
    """The folder of one job."""

    path: Path

    @property
    def lock(self) -> Path:
        """Held by the process that runs it."""
        return self.path / ".lock"

    @property
    def results(self) -> Path:
        """The results folder of its steps, from which finished runs are taken into the shared one."""
        return self.path / "results"

    @property
    def outcome(self) -> Path:
        """What became of it."""
        return self.path / "outcome.json"

    @property
    def progress(self) -> Path:
        """How far it is."""
        return self.path / "progress.json"

    @property
    def answer(self) -> Path:
        """What the step that runs prints: its JSON."""
        return self.path / "step.json"

    def log(self, attempt: int) -> Path:
        """stdout and stderr of an attempt."""
        return self.path / f"attempt-{attempt}.log"
