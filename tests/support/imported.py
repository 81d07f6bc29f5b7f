"""What a document of another tool becomes, through the door that the command uses."""

import json

from harness.imports.drafts import Given
from harness.imports.importing import import_files


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
