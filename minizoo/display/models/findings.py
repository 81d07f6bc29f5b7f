"""What `minizoo claims --reproduce` shows: how far the seeds are, the table of findings, or all of it as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minizoo.display.progress import StepBar
from minizoo.display.tables import show_table
from minizoo.output import Output, note

if TYPE_CHECKING:
    from pathlib import Path

    from harness.findings.judge import Judged
    from harness.findings.run import RunOutcome

STEP = "training"


class FindingsProgress(StepBar):
    """The watcher of a run: one step, counted in tokens."""

    def __init__(self, quiet: bool) -> None:
        super().__init__(quiet, "tokens")

    def went_on(self, done: int, of: int) -> None:
        """So many tokens of all are trained on."""
        self.show(STEP, done, of)

    def note(self, line: str) -> None:
        """What is to be known at once."""
        note(line)


def show_findings(output: Output, outcome: RunOutcome, judged: list[Judged], folder: str) -> None:
    """The table, what it cost, and where the record is; with --json the record and the verdicts."""
    record = outcome.record
    if output.as_json:
        told = {"folder": folder, "not_begun": outcome.not_begun, "verdicts": [_verdict(each) for each in judged]}
        output.document("findings", {**told, "record": record.model_dump(mode="json", by_alias=True)})
        return
    from reports.tables.findings import findings_table

    show_table(output, findings_table(judged))
    output.text(
        f"{record.whole_seeds} whole seeds, {record.cpu_seconds / 60:,.0f} CPU minutes. Every arm of every seed is in {folder}."
    )


def show_kept(output: Output, folder: Path) -> None:
    """What an interrupted run leaves: the table of what is there so far, and how to go on."""
    from harness.findings.folder import RECORD
    from harness.findings.record import judged_of, read_record
    from reports.tables.findings import findings_table

    record = read_record(folder / RECORD)
    if record is None or not record.seeds:
        return
    if not output.as_json:
        show_table(output, findings_table(judged_of(record)))
    kept = sum(len(next(iter(arm.losses.values()), {})) for arm in record.arms)
    note(f"Interrupted: {kept} arms are kept in {folder}. The same command goes on.")


def _verdict(judged: Judged) -> dict[str, Any]:
    plain = {name: getattr(judged, name) for name in ("word", "seeds", "value", "lower", "upper", "bound", "p_value")}
    more = {name: getattr(judged, name) for name in ("seeds_sd", "documents_sd", "needed", "notes")}
    return {"id": judged.finding.id, "sentence": judged.finding.sentence, **plain, **more}
