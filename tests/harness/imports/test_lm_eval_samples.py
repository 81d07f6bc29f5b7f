"""lm-eval's samples files, written by lm-eval itself, become records with the samples and errors of `minizoo eval`."""

import hashlib
import json
from datetime import datetime

import pytest
from support.imported import AS_COMMAND, rewritten, samples_of, without_names
from support.lm_eval_runs import LEAVES, run_lm_eval

from harness.imports.importing import import_files
from harness.records.derived import estimate
from harness.records.files import read_record, run_folder
from harness.stats.sufficient import PrintedStatistics, ResampledStatistics
from harness.store.query import query


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def imported(written, results):
    """The records of that folder, by task."""
    (one,) = import_files([written], results, AS_COMMAND)
    return {record.task: record for record in one.records}


@pytest.fixture(scope="module")
def own(suite, stories, results):
    """The records of `minizoo eval` over the same tasks, in the same store."""
    from minizoo.cli import run

    asked = ["eval", stories, "--suite", suite, "--results", results, "--device", "cpu", "--dtype", "float32"]
    assert run([str(word) for word in asked]) == 0
    found = [read_record(path) for path in results.rglob("record.json")]
    return {record.task: record for record in found if record.suite == "mine"}


def test_hashes_places_and_values_are_those_of_minizoo_eval(results, imported, own):
    same = ("doc_id", "doc_hash", "occurrence", "request_hash", "prompt_hash", "metric", "filter", "target", "cluster")
    same += ("gold", "length")
    for name in LEAVES:
        theirs, ours = samples_of(results, imported[name]), samples_of(results, own[name])
        assert [[row[each] for each in same] for row in theirs] == [[row[each] for each in same] for row in ours]
        for row, other in zip(theirs, ours, strict=True):
            assert (row["value"], row["weight"]) == (pytest.approx(other["value"], rel=1e-5), other["weight"])
            known = other["gold_logprob"]
            assert row["gold_logprob"] == (None if known is None else pytest.approx(known, rel=1e-5))
            assert shape(row["responses"]) == shape(other["responses"])
            assert shape(row["filtered"]) == shape(other["filtered"])
    assert {row["occurrence"] for row in samples_of(results, imported["boolq"])} == {0, 1}


def shape(answers):
    """The answers with each number rounded: log-probabilities differ in their last digits."""
    return json.loads(answers, parse_float=lambda number: f"{float(number):.3f}")


def test_values_are_the_results_files_and_errors_those_of_minizoo_eval(written, imported, own):
    (path,) = written.rglob("results_*.json")
    printed = json.loads(path.read_text())["results"]
    for name in LEAVES:
        for score, other in zip(imported[name].scores, own[name].scores, strict=True):
            assert score.value == printed[name][f"{score.metric},{score.filter}"]
            assert (score.n, score.total, score.clusters) == (other.n, other.total, other.clusters)
            assert errors_of(score) == pytest.approx(errors_of(other), rel=1e-5)
    assert imported["boolq"].scores[0].clusters == 3
    assert isinstance(imported["adding"].scores[0].statistics, type(own["adding"].scores[0].statistics))


def errors_of(score):
    return {name: number for name, number in vars(estimate(score)).items() if number is not None}


def test_two_runs_pair_document_by_document_in_the_store(results, imported, own):
    keys = "task, metric, filter, doc_hash, occurrence, request_hash, prompt_hash"
    pairs = "samples a JOIN samples b USING ({}) WHERE a.run_id = '{}' AND b.run_id = '{}'".format(
        keys, imported["boolq"].run_id, own["boolq"].run_id
    )
    (found,) = query(results, f"SELECT count(*) AS pairs, count(*) FILTER (a.value = b.value) AS alike FROM {pairs}")
    assert found["pairs"] == 12 * 2 + 20 * 2 + 12 * 2 + 20 * 2
    assert found["alike"] >= 12 * 2 + 20 * 2 + 12 * 2


def test_records_say_whence_they_are(results, imported, files):
    record = imported["told"]
    assert (record.source, record.imported.tool, record.imported.file) == ("imported", "lm-eval", files["results"].name)
    assert record.imported.rest["samples.file"] == files["told"].name
    assert record.imported.rest["samples.sha256"] == hashlib.sha256(files["told"].read_bytes()).hexdigest()
    assert imported["both"].scores[0].statistics is None  # a group has no samples, and this run no bootstrap
    assert (record.limit, record.resolved_suite) == (None, {})


def test_a_samples_file_finds_its_results_file_beside_it(files, tmp_path):
    (one,) = import_files([files["boolq"]], tmp_path / "results", AS_COMMAND)
    assert (one.file, one.samples) == (files["results"], (files["boolq"],))
    assert {record.task for record in one.records} == {*LEAVES, "both"}
    assert list((tmp_path / "results").rglob("samples.parquet")) == [
        run_folder(tmp_path / "results", one.run_id) / "boolq" / "samples.parquet"
    ]


def test_the_same_files_are_imported_once(files, tmp_path):
    alone, pair = [files["results"]], [files["results"], files["told"]]
    first, second = (import_files(paths, tmp_path / "results", AS_COMMAND)[0] for paths in (alone, alone))
    assert (first.before, second.before, second.run_id) == (False, True, first.run_id)
    third = import_files(pair, tmp_path / "results", AS_COMMAND)[0]  # what it adds is new
    assert not third.before
    for again in (pair, pair[::-1], [files["told"]], [*pair, files["told"].parent / "." / files["told"].name]):
        (one,) = import_files(again, tmp_path / "results", AS_COMMAND)
        assert (one.before, one.run_id) == (True, third.run_id)


def test_a_results_file_that_is_there_with_its_samples_adds_nothing_alone(files, tmp_path):
    (first,) = import_files([files["told"]], tmp_path / "results", AS_COMMAND)
    (again,) = import_files([files["results"]], tmp_path / "results", AS_COMMAND)
    assert (again.before, again.run_id) == (True, first.run_id)


def test_a_part_of_the_documents_is_told(lm, suite, tmp_path):
    run_lm_eval(lm, suite, tmp_path / "out", tasks=["adding"], limit=5)
    (one,) = import_files([tmp_path / "out"], tmp_path / "results", AS_COMMAND)
    (record,) = one.records
    assert (record.limit, record.scores[0].n, record.scores[0].total) == (5, 5, 20)
    assert record.resolved_suite["tasks"][0]["departure"] == "5 of 20 documents were run, not drawn at random"


def test_the_command_takes_a_folder_and_says_what_it_took(minizoo, files, tmp_path):
    ran = minizoo("import", files["results"].parent.parent, "--results", tmp_path / "results")
    assert ran.code == 0
    assert files["tales"].name in ran.out
    taken = minizoo("import", files["results"].parent, "--results", tmp_path / "results", "--json").json()
    (one,) = taken["files"]
    assert one["imported_before"]
    assert len(one["samples"]) == len(LEAVES)


# Files of older releases: made of lm-eval's own by what those did not write.


def before_the_tracker(row):
    """As releases before 0.4.3 wrote it: requests as lists, answers as numbers, no hashes."""
    without_names(row)
    del row["doc_hash"], row["prompt_hash"], row["target_hash"]
    row["arguments"] = [list(request.values()) for request in row["arguments"].values()]
    if row["doc"]["gold"] is not None and len(row["arguments"]) == 2:
        row["resps"] = [[[float(one[0][0]), one[0][1] == "True"]] for one in row["resps"]]
        row["filtered_resps"] = [[float(logprob), greedy == "True"] for logprob, greedy in row["filtered_resps"]]
        row["target"] = int(row["target"])


def test_rows_that_name_no_filter_are_read_in_the_results_files_order(results, imported, files, tmp_path):
    rewritten(files["told"], without_names)
    (one,) = import_files([files["told"]], tmp_path / "results", AS_COMMAND)
    record = next(record for record in one.records if record.task == "told")
    assert samples_of(tmp_path / "results", record) == samples_of(results, imported["told"])


def test_files_of_before_the_tracker_have_the_same_hashes(results, imported, files, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    document = json.loads(files["results"].read_text())
    for name in ("task_hashes", "n-samples", "model_name", "higher_is_better"):
        del document[name]
    document["config"]["model_args"] = "pretrained=stories260k,dtype=float32"
    (old / "results.json").write_text(json.dumps(document))
    for name in LEAVES:
        rewritten(files[name], before_the_tracker)
        rows = [json.loads(line) for line in files[name].read_text("utf-8").splitlines()]
        (old / f"pretrained__stories260k,dtype__float32_{name}.jsonl").write_text(json.dumps(rows, indent=2))
    (one,) = import_files([old], tmp_path / "results", AS_COMMAND)
    assert len(one.samples) == len(LEAVES)
    assert {record.subject.id for record in one.records} == {"stories260k"}
    for record in one.records:
        if record.task in LEAVES:
            assert samples_of(tmp_path / "results", record) == samples_of(results, imported[record.task])
            assert record.scores[0].total is None  # such a file does not say how many documents the task has


def test_other_aggregations_of_lm_evals_are_its_own_and_unknown_ones_stay_as_printed(files, tmp_path):
    document = json.loads(files["results"].read_text())
    listed = document["configs"]["adding"]["metric_list"]
    listed[0]["aggregation"], listed[1]["aggregation"] = "median", "def own(items): ..."
    document["results"]["adding"] |= {"acc,none": 1.0, "acc_norm,none": 0.9, "acc_norm_stderr,none": 0.02}
    files["results"].write_text(json.dumps(document))
    (one,) = import_files([files["adding"]], tmp_path / "results", AS_COMMAND)
    median, own = next(record for record in one.records if record.task == "adding").scores
    assert isinstance(median.statistics, ResampledStatistics)
    assert (own.value, own.statistics) == (0.9, PrintedStatistics(stderr=0.02))


def test_a_date_as_lm_eval_writes_it_without_fractions_is_one(files, tmp_path):
    when = datetime(2026, 1, 2, 3, 4, 5).isoformat().replace(":", "-")
    moved = [
        path.rename(path.with_name(f"{path.name.rpartition('_')[0]}_{when}{path.suffix}")) for path in files.values()
    ]
    (one,) = import_files(moved[-1:], tmp_path / "results", AS_COMMAND)
    assert one.file == moved[0]
