"""How bundles that were taken in, or only checked, are shown: who gave what, each row with its state, and what is doubted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minizoo.display.scale import figure
from minizoo.output import Column, Output, note

if TYPE_CHECKING:
    from harness.bundles.take import TakenBundle
    from harness.records.record import Record
    from harness.records.speed_record import SpeedFacts

COLUMNS = (
    Column("model", importance=5),
    Column("GPU or processor", importance=2),
    Column("task", importance=4),
    Column("figure", True, 3),
    Column("state", importance=6),
)
LONGEST_LINE = 500
RATE = "output_rate"
"""The metric that stands for a row of speed."""


def show_bundles(output: Output, bundles: Sequence[TakenBundle], results: Path | None) -> None:
    """Each bundle's rows, then where they are; `results` is None where they were only checked."""
    for bundle in bundles:
        if bundle.before:
            note(f"{bundle.path} was imported before: nothing was added.")
            continue
        _show(output, bundle)
    if results is None:
        output.text("Checked: schema, digests, figures beside their trials and the roofline. Nothing was stored.")
    elif any(bundle.records for bundle in bundles):
        output.text(f"Records: {results}/runs, marked as contributed.")


def bundle_document(bundle: TakenBundle) -> dict[str, Any]:
    """A bundle as a document has it."""
    manifest = bundle.manifest.model_dump(mode="json", exclude={"files", "digest"})
    doubts = [
        {"run_id": run_id, "task": task, **reason.model_dump()}
        for (run_id, task), reasons in bundle.doubts.items()
        for reason in reasons
    ]
    return {
        "file": str(bundle.path),
        "sha256": bundle.sha256,
        **manifest,
        "imported_before": bundle.before,
        "records": [record.model_dump(mode="json") for record in bundle.records],
        "doubts": doubts,
        "left_out": list(bundle.left_out),
    }


def _show(output: Output, bundle: TakenBundle) -> None:
    manifest = bundle.manifest
    by = f"by {manifest.by}, a name that nobody has checked" if manifest.by else "by nobody named"
    commit = f" ({manifest.git_sha[:12]})" if manifest.git_sha else ""
    rows = "1 row" if len(bundle.records) == 1 else f"{len(bundle.records)} rows"
    output.text(f"{bundle.path}: {rows}, contributed {by}.")
    packed = f"Packed on {manifest.made_at:%Y-%m-%d} by minizoo {manifest.minizoo}{commit}"
    output.text(_line(f"{packed}: {manifest.command}" if manifest.command else f"{packed}."))
    if bundle.records:
        output.table(COLUMNS, [_row(record) for record in bundle.records])
    for line in _told(bundle):
        output.text(_line(line))


def _told(bundle: TakenBundle) -> Iterator[str]:
    from harness.bundles.plausible import unchecked

    for (_, task), reasons in bundle.doubts.items():
        yield from (f"Not to be believed: {task}: {reason.text}." for reason in reasons)
    yield from (f"Left out: {sentence}." for sentence in bundle.left_out)
    unknown = {told for record in bundle.records if (told := unchecked(record))}
    yield from (f"Not checked: {sentence}." for sentence in sorted(unknown))
    yield from (f"Told by the contributor: {sentence}" for sentence in bundle.manifest.notes)


def _line(text: str) -> str:
    """What a stranger wrote, on one line: it cannot look as if minizoo said something."""
    return " ".join(text.split())[:LONGEST_LINE]


def _row(record: Record) -> list[str]:
    where = record.setting.gpu or record.setting.processor or record.setting.device
    return [record.subject.id, where, record.task, _figure(record), _state(record)]


def _figure(record: Record) -> str:
    if record.beside is not None:
        ratio = record.beside.reference_seconds / record.beside.seconds if record.beside.seconds > 0 else None
        return "–" if ratio is None else f"{figure(ratio)} × as fast"
    rates = (one.value for one in (record.speed.statistics if record.speed else ()) if one.metric == RATE)
    rate = next((value for value in rates if value is not None), None)
    return "–" if rate is None else f"{figure(rate)} tokens/s"


def _state(record: Record) -> str:
    if record.status != "ok":
        return f"failed: {record.code}"
    if record.beside is not None:
        return {True: "conforms", False: "does not conform", None: "not checked in fp32"}[record.beside.conforms]
    return _validity(record.speed) if record.speed else "–"


def _validity(speed: SpeedFacts) -> str:
    codes = ", ".join(dict.fromkeys(reason.code for reason in speed.validity.reasons))
    return "valid" if speed.validity.valid else f"invalid: {codes}"
