"""What `minizoo show` shows of a local folder: what is in it, whether it runs, and what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minizoo.display.models.recovery import documents, show_recoveries
from minizoo.output import Column, Output

if TYPE_CHECKING:
    from harness.recovery.stored import Recovery
    from zoo.checkpoint.model_ref import ModelRef

UNKNOWN = "unknown"
NONE = "none"
Row = Mapping[str, Any]
MEASURED = """
SELECT task, metric, filter, shots, value, n, run_id, model, weights_digest,
       (SELECT json_extract_string(r.record, '$.subject.distilled.trained_on[*]') FROM records r
        WHERE r.run_id = scores.run_id AND r.task = scores.task) AS trained_on,
       parent FROM scores
WHERE source = 'measured' AND status = 'ok' AND value IS NOT NULL AND (
  weights_digest = ? OR run_id IN (SELECT run_id FROM records WHERE kind = 'folder' AND coalesce(given_name, subject) = ?)
) ORDER BY finished_at, task, metric, filter
"""
FOLDERS = "SELECT count(*) AS n FROM records WHERE kind = 'folder' AND weights_digest IS NOT NULL"


def measured_of_folder(results: Path, ref: ModelRef) -> list[Row]:
    """Scores that the results hold under the folder's name or of its weights, each with `same_weights`: whether they are these.

    The weights are read for their digest only where the results have a folder's scores at all; nothing is made or changed
    where there are no results.
    """
    if not results.is_dir():
        return []
    from harness.store.query import query
    from minizoo.display.accuracy import or_note

    digest = _digest(ref) if or_note(lambda: query(results, FOLDERS)) else None
    rows = or_note(lambda: query(results, MEASURED, [digest or "", ref.shown]))
    return [_marked({**row, "same_weights": digest and row["weights_digest"] == digest}) for row in rows]


def _marked(row: dict[str, Any]) -> Row:
    """With whether the folder was trained on the task's own text, in place of what tells it."""
    from harness.records.trained_on import is_among, tasks_trained_on

    tasks = tasks_trained_on(row.pop("parent"), row["trained_on"])
    return {**row, "trained_on": is_among(tasks, row["task"])}


def show_folder(
    output: Output, facts: Mapping[str, Any], measured: Sequence[Row], recovered: Sequence[Recovery] = ()
) -> None:
    """A row a fact, the notes, the scores that were measured, and the family's recovery."""
    if output.as_json:
        found = {"measured": [dict(row) for row in measured], "recoveries": documents(recovered)}
        output.document("folder", {**facts, **found})
        return
    output.text(f"{facts['name']} ({facts['folder']})")
    output.text()
    output.table([Column("fact"), Column("value")], _fact_rows(facts))
    if facts.get("dimensions"):
        output.text()
        output.table([Column("dimension"), Column("value", number=True)], _dimension_rows(facts))
    for note in facts["notes"]:
        output.text()
        output.text(note)
    _show_measured(output, measured)
    show_recoveries(output, recovered)


def _fact_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows: list[tuple[str, Any]] = [("form", facts["form"])]
    if "model_type" in facts:
        runs = f"no: it {facts['cannot_run']}" if facts["cannot_run"] else "by transformers' own class"
        rows += [("class", f"{facts['hf_class'] or UNKNOWN} ({facts['model_type']})"), ("runs", runs)]
        rows += _weight_rows(facts)
        rows += [("head", facts["head"]), ("context", _context(facts))]
        rows += [("tokenizer", ", ".join(facts["tokenizer"]) or NONE)]
        rows += [("chat template", ", ".join(facts["chat_template"]) or NONE)]
    rows.append(("made from", facts["parent"]))
    if facts["plan"]:
        rows.append(("plan", f"plan.json, units chosen by {facts['plan'].get('chosen_by') or UNKNOWN}"))
    return [(name, str(value or UNKNOWN)) for name, value in rows]


def _weight_rows(facts: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    size, numbers, closed = facts["stored_bytes"], facts["stored_parameters"], facts["parameters"]
    counted = "no closed form for it here" if closed is None else f"{closed:,} by its dimensions"
    stored = "" if numbers is None else f", {numbers:,} stored"
    differ = " (they differ)" if None not in (numbers, closed) and numbers != closed else ""
    rows: list[tuple[str, str | None]] = [
        ("weights", facts["weight_files"] or NONE),
        ("stored", None if size is None else f"{size:,} bytes, {facts['stored_dtypes'] or 'dtype unknown'}"),
        ("parameters", counted + stored + differ),
    ]
    return [*rows, ("quantised", facts["quantised"])] if facts["quantised"] else rows


def _context(facts: Mapping[str, Any]) -> str:
    told = "" if facts["context"] is None else f"{facts['context']:,} tokens"
    return " ".join(part for part in (told, facts["context_note"]) if part)


def _dimension_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    costs = {name: facts[name] for name in ("kv_bytes_per_token_bf16", "flops_per_token")}
    shown = {
        name: value for name, value in facts["dimensions"].items() if not isinstance(value, dict) and value is not None
    }
    return [(name, f"{value:,}" if type(value) is int else str(value)) for name, value in {**shown, **costs}.items()]


def _show_measured(output: Output, measured: Sequence[Row]) -> None:
    if not measured:
        return
    from harness.records.trained_on import MARK, TRAINED_ON

    columns = [Column("task"), Column("metric"), Column("shots", True, 1), Column("value", True), Column("n", True),
               Column("weights", importance=2), Column("run", importance=1)]  # fmt: skip
    rows = [
        (
            row["task"] + (f" {MARK}" if row["trained_on"] else ""),
            row["metric"] if row["filter"] in (None, "none") else f"{row['metric']}, {row['filter']}",
            "–" if row["shots"] is None else str(row["shots"]),
            f"{row['value']:.4f}",
            f"{row['n']:,}",
            {True: "these", False: "others"}.get(row["same_weights"], UNKNOWN),
            row["run_id"],
        )
        for row in measured
    ]
    output.text()
    output.table(columns, rows, title="Measured")
    if any(row["trained_on"] for row in measured):
        output.text(TRAINED_ON)


def _digest(ref: ModelRef) -> str | None:
    """The digest of the folder's weights; None where they are not whole."""
    from zoo.arch.hf_config import read_config
    from zoo.checkpoint.locate import Checkpoint
    from zoo.errors import InputError

    try:
        folder = ref.folder or Path()
        return Checkpoint(ref, folder, read_config(folder)).weights_digest()
    except InputError:
        return None
