"""`minizoo export`: what it writes, prints and refuses."""

import json

import pytest
from support.records import record, samples

from harness.records.files import write_record
from harness.records.record import Counts
from minizoo.cli import run

WHOLE = Counts(documents=2, documents_total=2, requests=4, tokens=9, truncated=0, reused=0)


@pytest.fixture
def results(tmp_path):
    base = record()
    subject = base.subject.model_copy(update={"id": "nano-teacher", "kind": "registry", "source": "minizoo"})
    write_record(tmp_path / "results", record("gsm8k", counts=WHOLE, subject=subject), samples())
    return tmp_path / "results"


def export(results, out, *words, form="lm-eval"):
    return run(["export", *words, "--to", form, "--out", str(out), "--results", str(results)])


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("lm-eval", ["results_2026-11-21T01-03-03.json", "samples_gsm8k_2026-11-21T01-03-03.jsonl"]),
        ("hf", [".eval_results/openai--gsm8k.yaml"]),
        ("model-index", ["model-index.yaml"]),
    ],
)
def test_every_form_writes_its_files_and_prints_where_they_are(results, tmp_path, capsys, form, names):
    assert export(results, tmp_path / "out", "nano-teacher", form=form) == 0
    folder = tmp_path / "out" / "nano-teacher"
    assert sorted(capsys.readouterr().out.split()) == [str(folder / name) for name in names]
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == names


def test_json_names_the_files(results, tmp_path, capsys):
    assert export(results, tmp_path / "out", "--json", form="hf") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "minizoo.export/1"
    assert told["files"] == [str(tmp_path / "out" / "nano-teacher" / ".eval_results" / "openai--gsm8k.yaml")]


def test_exporting_again_changes_nothing(results, tmp_path):
    assert export(results, tmp_path / "out") == 0
    (tmp_path / "out" / "mine.txt").write_text("mine")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert export(results, tmp_path / "out") == 0
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_a_file_of_somebody_else_is_not_overwritten_and_nothing_is_written(results, tmp_path, capsys):
    mine = tmp_path / "out" / "nano-teacher" / "results_2026-11-21T01-03-03.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert export(results, tmp_path / "out") == 2
    assert "is there already and differs" in capsys.readouterr().err
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [mine]
    assert mine.read_text() == "mine"
    assert list((tmp_path / "out").iterdir()) == [mine.parent]


def test_what_cannot_be_exported_leaves_no_folder(results, tmp_path, capsys):
    base = record("nano_sums", counts=WHOLE)
    write_record(tmp_path / "others", base)
    assert export(tmp_path / "others", tmp_path / "out", form="hf") == 2
    assert "nano_sums" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_out_that_is_a_file_is_refused(results, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert export(results, tmp_path / "out") == 4
    assert "cannot be written" in capsys.readouterr().err


def test_a_word_that_is_nothing_gets_a_suggestion(results, tmp_path, capsys):
    assert export(results, tmp_path / "out", "nano-teachr") == 2
    assert "Did you mean 'nano-teacher'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_results_that_are_not_there_are_not_made(tmp_path, capsys):
    assert export(tmp_path / "none", tmp_path / "out") == 4
    assert not (tmp_path / "none").exists()
    assert "none" in capsys.readouterr().err


def test_an_unknown_form_is_refused_with_the_known_ones(results, tmp_path, capsys):
    assert export(results, tmp_path / "out", form="helm") == 2
    assert "'lm-eval', 'hf', 'model-index'" in capsys.readouterr().err
