"""Results exported in lm-eval's form, and such a folder read as plain documents."""

import json
from types import SimpleNamespace

from harness.exports.chosen import choose
from harness.exports.lm_eval import write_lm_eval
from harness.exports.writing import Files


def export(results, out, word=None):
    selection = choose(results, word)
    with Files(out) as files:
        notes = write_lm_eval(selection, files)
        places = files.publish()
    return SimpleNamespace(out=out, places=places, notes=notes, **vars(opened(places[0].parent)))


def opened(folder):
    """The results file as a document, and each samples file's rows by task."""
    (path,) = folder.glob("results_*.json")
    samples = {file.name.split("_")[1]: rows_of(file) for file in folder.glob("samples_*.jsonl")}
    return SimpleNamespace(folder=folder, path=path, document=json.loads(path.read_text("utf-8")), samples=samples)


def rows_of(file):
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
