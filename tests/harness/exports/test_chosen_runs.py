"""Which records are exported, and what becomes of old, damaged, failed, partial and hostile ones."""

import json
from datetime import timedelta

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.exported import export, opened
from support.records import record, samples

from harness.exports.chosen import Chosen, choose
from harness.exports.places import folder_of, folders_of
from harness.exports.results import results_document, subtasks_of
from harness.imports.importing import import_files
from harness.records.files import run_folder, write_record
from harness.records.record import MetricScore
from harness.stats.sufficient import PrintedStatistics
from zoo.errors import InvalidFile, NothingRecorded, ResultsMissing, UnknownModel, UnknownRun

OLD = ("prompt", "choices", "gold", "gold_logprob", "length", "cluster")


def stored(results, *records, rows=()):
    for each in records:
        write_record(results, each, rows)
    return records[0]


def later(of, seconds=60, **changes):
    return record(finished_at=of.finished_at + timedelta(seconds=seconds), **changes)


def named(model):
    return record().subject.model_copy(update={"id": model, "kind": "hub", "source": model})


def tasks_of(selection):
    return [(one.record.run_id, one.record.task) for one in selection.records]


def test_the_newest_result_of_each_task_is_chosen_and_a_newer_failure_hides_none(tmp_path):
    old = stored(tmp_path, record("a"))
    new = stored(tmp_path, later(old, task="a"))
    stored(tmp_path, later(new, task="a", status="failed", reason="broke", scores=(), counts=None))
    part = stored(tmp_path, later(new, task="a", limit=2))
    assert tasks_of(choose(tmp_path, None)) == sorted([(new.run_id, "a"), (part.run_id, "a")])


def test_a_run_is_exported_whole_by_the_beginning_of_its_id_and_its_failures_are_told(tmp_path):
    first = stored(tmp_path, record("a"))
    newest = stored(tmp_path, later(first, task="a"))
    stored(tmp_path, record("b", first.run_id, status="failed", reason="no isolation", scores=(), counts=None))
    made = export(tmp_path, tmp_path / "out", first.run_id)
    assert list(made.document["results"]) == ["a"]
    assert made.document["minizoo"]["failed"] == {"b": "no isolation"}
    assert made.notes == [f"Run {first.run_id}: b failed and is in no file of lm-eval (no isolation)."]
    with pytest.raises(UnknownRun, match="2 runs"):
        choose(tmp_path, first.run_id[:6])
    assert tasks_of(choose(tmp_path, newest.run_id[:-2].upper())) == [(newest.run_id, "a")]


def test_a_group_comes_with_the_tasks_of_its_own_run(tmp_path):
    leaf = stored(tmp_path, record("leaf"))
    group = stored(tmp_path, record("group", leaf.run_id, members=("leaf",)))
    alone = stored(tmp_path, later(leaf, task="leaf"))
    assert sorted(tasks_of(choose(tmp_path, None))) == sorted(
        [(group.run_id, "group"), (leaf.run_id, "leaf"), (alone.run_id, "leaf")]
    )


def test_each_run_has_files_of_its_own_time_even_when_two_ended_together(tmp_path):
    first = stored(tmp_path, record("a"))
    stored(tmp_path, record("b", finished_at=first.finished_at))
    places = export_all(tmp_path)
    assert [place.name for place in places] == [
        "results_2026-11-21T01-03-03.json",
        "results_2026-11-21T01-03-03.000001.json",
    ]


def export_all(results):
    from harness.exports.lm_eval import write_lm_eval
    from harness.exports.writing import Files

    with Files(results / "out") as files:
        write_lm_eval(choose(results, None), files)
        return files.publish()


def test_nothing_to_export_says_what_to_run(tmp_path):
    with pytest.raises(ResultsMissing):
        choose(tmp_path / "none", None)
    stored(tmp_path, record("a", status="failed", reason="broke", scores=(), counts=None))
    with pytest.raises(NothingRecorded, match="minizoo eval"):
        choose(tmp_path, None)
    with pytest.raises(NothingRecorded, match="minizoo eval nano-teacher"):
        choose(tmp_path, "nano-teacher")
    with pytest.raises(UnknownModel, match="Did you mean 'nano-teacher'"):
        choose(tmp_path, "nano-teachr")


def test_samples_of_before_prompts_were_kept_are_opened_and_read_back(tmp_path):
    from datasets import load_dataset

    old = stored(tmp_path / "results", record("a"), rows=answered())
    path = run_folder(tmp_path / "results", old.run_id) / "a" / "samples.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns([name for name in OLD if name in table.column_names]), path)
    made = export(tmp_path / "results", tmp_path / "out")
    assert made.samples["a"][0]["arguments"] == {"gen_args_0": {"arg_0": None}, "gen_args_1": {"arg_0": None}}
    (file,) = made.folder.glob("samples_a_*")
    loaded = load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["resps"][0] == [[["-1.5", "False"]], [["-0.5", "True"]]]
    (taken,) = import_files([made.folder], tmp_path / "again")
    rows = pq.read_table(run_folder(tmp_path / "again", taken.run_id) / "a" / "samples.parquet").to_pylist()
    assert [(row["request_hash"], row["prompt"], row["gold"]) for row in rows] == [("r", None, None)] * 2


def answered(**changes):
    told = "[[[-1.5, false]], [[-0.5, true]]]"
    return [row | {"responses": told, "filtered": "[[-1.5, false], [-0.5, true]]", **changes} for row in samples()]


def test_damaged_samples_are_named_and_nothing_is_written(tmp_path):
    bad = stored(tmp_path / "results", record("a"), rows=answered())
    choose(tmp_path / "results", None)  # what is damaged when it is taken in is in no result at all
    (run_folder(tmp_path / "results", bad.run_id) / "a" / "samples.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InvalidFile, match=r"samples\.parquet cannot be read"):
        export(tmp_path / "results", tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_values_that_are_no_number_stay_readable(tmp_path):
    score = MetricScore(metric="acc", filter="none", value=0.5, n=2, higher_is_better=None, chance=None)
    none = score.model_copy(update={"metric": "odd", "value": float("nan")})
    stored(tmp_path / "results", record("a", scores=(score, none)), rows=answered(value=float("nan")))
    made = export(tmp_path / "results", tmp_path / "out")
    assert made.document["results"]["a"]["odd,none"] is None
    assert [row["acc"] for row in made.samples["a"]] == [None, None]
    from lm_eval.utils import make_table

    assert "| " in make_table(made.document)


def test_hostile_names_and_texts_stay_text_in_one_folder(tmp_path):
    subject = named("../../<img onerror=x>/" + "n" * 10_000)
    prompt = 'line\nbreak </script> \u202e "quoted"'
    stored(tmp_path / "results", record("a", subject=subject), rows=answered(prompt=prompt, choices='["x", "y"]'))
    made = export(tmp_path / "results", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [made.folder.name]
    assert len(made.folder.name) < 200
    assert made.samples["a"][0]["arguments"]["gen_args_0"]["arg_0"] == prompt
    assert made.document["model_name_sanitized"] == made.folder.name


def test_the_same_records_give_the_same_bytes(tmp_path):
    stored(tmp_path / "results", record("a"), rows=answered())
    one, two = (export(tmp_path / "results", tmp_path / name).out for name in ("one", "two"))
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert [(one / name).read_bytes() for name in names] == [(two / name).read_bytes() for name in names]


def test_nested_groups_stand_below_one_another():
    groups = [
        record("all", members=("a1", "a2", "b1", "c")),
        record("a", members=("a1", "a2")),
        record("b", members=("b1",)),
    ]
    assert subtasks_of(groups) == {"all": ["b", "a", "c"], "a": ["a1", "a2"], "b": ["b1"]}


@given(st.text(min_size=1, max_size=300))
def test_a_folder_is_one_safe_part_of_a_path(name):
    made = folder_of(name)
    assert "/" not in made
    assert made not in ("", ".", "..")
    assert not made.startswith(".")
    assert len(made.encode()) <= 150


def test_two_models_never_share_a_folder():
    folders = folders_of(["a/b", "a__b", "A__b", "c"])
    assert len({folder.casefold() for folder in folders.values()}) == 4
    assert folders["c"] == "c"


def test_a_folder_of_weights_is_called_by_its_own_name(tmp_path):
    subject = record().subject.model_copy(update={"id": "final", "kind": "folder", "source": "/home/al/final"})
    stored(tmp_path / "results", record("a", subject=subject))
    document = export(tmp_path / "results", tmp_path / "out").document
    assert (document["model_name"], document["config"]["model_args"]["pretrained"]) == ("./final", "./final")
    assert "/home/al" not in json.dumps(document["config"])
    (taken,) = import_files([opened(tmp_path / "out" / "final").path], tmp_path / "again")
    assert (taken.records[0].subject.id, taken.records[0].subject.kind) == ("final", "folder")


def test_an_error_that_is_no_number_is_none(tmp_path):
    broken = record().scores[0].model_copy(update={"statistics": PrintedStatistics(stderr=float("inf"))})
    chosen = Chosen("m", record("a", scores=(broken,)), tmp_path / "none")
    document = results_document([chosen], [], {}, "m")
    assert (document["results"]["a"]["acc,none"], document["results"]["a"]["acc_stderr,none"]) == (0.5, "N/A")
    assert document["minizoo"]["intervals"]["a"] == {"acc,none": [None, None]}
