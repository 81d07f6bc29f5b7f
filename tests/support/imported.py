"""What a document of another tool becomes, through the door that the command uses."""

import json

import pyarrow.parquet as pq

from harness.imports.drafts import Given
from harness.imports.importing import import_files
from harness.lmeval.estimates import aggregated
from harness.lmeval.scores import higher_is_better
from harness.records.files import folder_name, run_folder

AS_COMMAND = Given(direction=higher_is_better, aggregated=aggregated)
"""What the command hands in where its options say nothing."""


def written(folder, name, document):
    """A file of that name with the document, or the text, in it."""
    path = folder / f"{name}.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def taken(folder, document, **given):
    """The one record that the document becomes."""
    (one,) = import_files([written(folder, "result", document)], folder / "results", Given(**given))
    (record,) = one.records
    return record


def figures(record):
    """Its statistics by metric and name."""
    return {(s.metric, s.statistic): s for s in record.speed.statistics}


def values(record):
    """What it has a value for."""
    return {key: statistic.value for key, statistic in figures(record).items() if statistic.value is not None}


def reasons(record):
    """What speaks against it besides that nobody watched, as (code, text)."""
    return [(reason.code, reason.text) for reason in record.speed.validity.reasons[1:]]


def left_out(record):
    """What was left out, in words."""
    return [note.text for note in record.speed.validity.notes if note.code == "figure-absent"]


def samples_of(results, record):
    """The rows of its samples, in an order of their own."""
    rows = pq.read_table(run_folder(results, record.run_id) / folder_name(record.task) / "samples.parquet").to_pylist()
    return sorted(rows, key=lambda row: (row["doc_id"], row["metric"], row["filter"]))


def rewritten(path, change):
    """The samples file with each of its rows changed."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for row in rows:
        change(row)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def without_names(row):
    """A row as lm-eval 0.4.3 to 0.4.6 wrote it."""
    del row["filter"], row["metrics"]
