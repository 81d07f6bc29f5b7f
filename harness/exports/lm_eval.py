"""Runs as lm-eval writes them: `MODEL/results_TIME.json` with `MODEL/samples_TASK_TIME.jsonl` beside it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from harness.exports.chosen import Chosen, Failed, Selection
from harness.exports.places import folders_of
from harness.exports.results import results_document, times_of
from harness.exports.samples import Samples
from harness.exports.writing import Files
from harness.records.files import folder_name


def write_lm_eval(selection: Selection, files: Files) -> list[str]:
    """Write every run's files; returns what a reader should be told, in sentences.

    A file's time is the end of its run, in UTC. Two runs of one model that ended together are a microsecond apart.
    """
    folders = folders_of(one.model for one in selection.records)
    taken: set[tuple[str, str]] = set()
    notes: list[str] = []
    grouped = itertools.groupby(selection.records, key=lambda one: (one.model, one.record.run_id))
    for (model, _), listed in grouped:
        run = list(listed)
        folder, ended = folders[model], times_of([one.record for one in run])[1]
        while (folder, _stamp(ended)) in taken:
            ended += timedelta(microseconds=1)
        taken.add((folder, _stamp(ended)))
        notes += _write_run(run, selection.failed, f"{folder}/{{}}_{_stamp(ended)}", files)
    return notes


def _write_run(run: Sequence[Chosen], failed: Sequence[Failed], place: str, files: Files) -> list[str]:
    written: dict[str, Samples] = {}
    for one in run:
        if not one.samples.is_file():
            continue
        samples, task = Samples(one), one.record.task
        files.write(place.format(f"samples_{folder_name(task)}") + ".jsonl", samples.lines())
        written[task] = samples
    document = results_document(run, failed, written, place.partition("/")[0])
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    files.write(place.format("results") + ".json", [text.encode("utf-8", "replace")])
    run_id = run[0].record.run_id
    notes = [f"Run {run_id}: {one.task} failed and is in no file of lm-eval ({one.reason})." for one in failed
             if one.run_id == run_id]  # fmt: skip
    partly = [task for task, samples in written.items() if not samples.exact]
    if partly:
        told = ", ".join(partly[:4]) + (f" and {len(partly) - 4} more" if len(partly) > 4 else "")
        notes.append(f"Run {run_id}: records keep the requests of {told} in part; what is not known is null or absent.")
    return notes


def _stamp(moment: datetime) -> str:
    """A time as lm-eval has it in names of files."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat().replace(":", "-")
