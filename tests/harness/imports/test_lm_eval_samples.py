"""lm-eval's samples files, written by lm-eval itself, become records with the samples and errors of `minizoo eval`."""

import hashlib
import json
import shutil
import sys
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.lm_eval_runs import LEAVES, run_lm_eval, write_tasks

from harness.imports.drafts import Given
from harness.imports.importing import import_files
from harness.imports.lm_eval_samples import read_samples
from harness.lmeval.estimates import aggregated
from harness.lmeval.scores import higher_is_better
from harness.records.columns import arrow_schema
from harness.records.derived import estimate
from harness.records.files import SAMPLE_COLUMNS, folder_name, read_record, run_folder
from harness.stats.sufficient import PrintedStatistics, ResampledStatistics
from harness.store.query import query
from zoo.errors import FileMissing, InvalidImport

GIVEN = Given(direction=higher_is_better, aggregated=aggregated)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    yield write_tasks(folder, "imported_tasks")
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def lm(stories):
    from harness.lmeval.model import MinizooLM

    return MinizooLM(pretrained=str(stories), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def written(lm, suite, tmp_path_factory):
    """A folder as lm-eval's --output_path leaves it, of a run of every document."""
    out = tmp_path_factory.mktemp("out")
    run_lm_eval(lm, suite, out)
    return out


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def imported(written, results):
    """The records of that folder, by task."""
    (one,) = import_files([written], results, GIVEN)
    return {record.task: record for record in one.records}


@pytest.fixture(scope="module")
def own(suite, stories, results):
    """The records of `minizoo eval` over the same tasks, in the same store."""
    from minizoo.cli import run

    asked = ["eval", stories, "--suite", suite, "--results", results, "--device", "cpu", "--dtype", "float32"]
    assert run([str(word) for word in asked]) == 0
    found = [read_record(path) for path in results.rglob("record.json")]
    return {record.task: record for record in found if record.suite == "mine"}


@pytest.fixture
def files(written, tmp_path):
    """A copy of the folder's files to be damaged, by task; `results` is the results file."""
    folder = tmp_path / "model"
    shutil.copytree(next(written.iterdir()), folder)
    (found,) = folder.glob("results_*.json")
    return {"results": found} | {name: next(folder.glob(f"samples_{name}_*")) for name in LEAVES}


def samples_of(results, record):
    rows = pq.read_table(run_folder(results, record.run_id) / folder_name(record.task) / "samples.parquet").to_pylist()
    return sorted(rows, key=lambda row: (row["doc_id"], row["metric"], row["filter"]))


def refusal(paths, tmp_path, error=InvalidImport):
    """The words in which they are refused; nothing is stored."""
    with pytest.raises(error) as caught:
        import_files(paths, tmp_path / "refused", GIVEN)
    assert not (tmp_path / "refused").exists()
    words = str(caught.value)
    assert len(words) < 900
    assert "\n" not in words
    return words


def rewritten(path, change):
    """The samples file with each of its rows changed."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for row in rows:
        change(row)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def test_hashes_places_and_values_are_those_of_minizoo_eval(results, imported, own):
    same = ("doc_id", "doc_hash", "occurrence", "request_hash", "prompt_hash", "metric", "filter", "target")
    for name in LEAVES:
        theirs, ours = samples_of(results, imported[name]), samples_of(results, own[name])
        assert [[row[each] for each in same] for row in theirs] == [[row[each] for each in same] for row in ours]
        for row, other in zip(theirs, ours, strict=True):
            assert (row["value"], row["weight"]) == (pytest.approx(other["value"], rel=1e-5), other["weight"])
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
    (one,) = import_files([files["boolq"]], tmp_path / "results", GIVEN)
    assert (one.file, one.samples) == (files["results"], (files["boolq"],))
    assert {record.task for record in one.records} == {*LEAVES, "both"}
    assert list((tmp_path / "results").rglob("samples.parquet")) == [
        run_folder(tmp_path / "results", one.run_id) / "boolq" / "samples.parquet"
    ]


def test_the_same_files_are_imported_once(files, tmp_path):
    alone, pair = [files["results"]], [files["results"], files["told"]]
    first, second = (import_files(paths, tmp_path / "results", GIVEN)[0] for paths in (alone, alone))
    assert (first.before, second.before, second.run_id) == (False, True, first.run_id)
    third = import_files(pair, tmp_path / "results", GIVEN)[0]  # what it adds is new
    assert not third.before
    for again in (pair, pair[::-1], [files["told"]], [*pair, files["told"].parent / "." / files["told"].name]):
        (one,) = import_files(again, tmp_path / "results", GIVEN)
        assert (one.before, one.run_id) == (True, third.run_id)


def test_a_results_file_that_is_there_with_its_samples_adds_nothing_alone(files, tmp_path):
    (first,) = import_files([files["told"]], tmp_path / "results", GIVEN)
    (again,) = import_files([files["results"]], tmp_path / "results", GIVEN)
    assert (again.before, again.run_id) == (True, first.run_id)


def test_a_part_of_the_documents_is_told(lm, suite, tmp_path):
    run_lm_eval(lm, suite, tmp_path / "out", tasks=["adding"], limit=5)
    (one,) = import_files([tmp_path / "out"], tmp_path / "results", GIVEN)
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


def without_names(row):
    """As 0.4.3 to 0.4.8 wrote it."""
    del row["filter"], row["metrics"]


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
    (one,) = import_files([files["told"]], tmp_path / "results", GIVEN)
    record = next(record for record in one.records if record.task == "told")
    assert samples_of(tmp_path / "results", record) == samples_of(results, imported["told"])


def test_files_of_before_the_tracker_have_the_same_hashes(results, imported, files, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    document = json.loads(files["results"].read_text())
    for name in ("task_hashes", "n-samples"):
        del document[name]
    (old / "results.json").write_text(json.dumps(document))
    for name in LEAVES:
        rewritten(files[name], before_the_tracker)
        rows = [json.loads(line) for line in files[name].read_text("utf-8").splitlines()]
        (old / f"pretrained__stories260k,dtype__float32_{name}.jsonl").write_text(json.dumps(rows, indent=2))
    (one,) = import_files([old], tmp_path / "results", GIVEN)
    assert len(one.samples) == len(LEAVES)
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
    (one,) = import_files([files["adding"]], tmp_path / "results", GIVEN)
    median, own = next(record for record in one.records if record.task == "adding").scores
    assert isinstance(median.statistics, ResampledStatistics)
    assert (own.value, own.statistics) == (0.9, PrintedStatistics(stderr=0.02))


# What is refused, and stores nothing.


def test_a_samples_file_without_its_results_file_names_what_is_missing(files, tmp_path):
    files["results"].unlink()
    words = refusal([files["boolq"]], tmp_path, FileMissing)
    assert f"{files['results']} is not there" in words
    other = files["results"].with_name("results_2024-01-01T00-00-00.000000.json")
    other.write_text("{}")
    assert f"{other} is of another run" in refusal([files["boolq"], other], tmp_path, FileMissing)
    renamed = files["boolq"].rename(files["boolq"].with_name("renamed.jsonl"))
    assert "results.json is not there" in refusal([renamed], tmp_path, FileMissing)


def test_samples_of_another_task_are_refused(files, tmp_path):
    other = files["told"].rename(files["told"].with_name(files["told"].name.replace("told", "mmlu")))
    assert "task 'mmlu'" in refusal([other], tmp_path)
    files["boolq"].rename(files["adding"])
    assert "not of one run" in refusal([files["adding"]], tmp_path)


def test_samples_of_another_model_are_refused(files, tmp_path):
    def other_answers(row):
        row["acc"] = 1 - row["acc"]

    rewritten(files["adding"], other_answers)
    words = refusal([files["adding"]], tmp_path)
    assert "not of one run" in words
    assert "acc (none)" in words


def test_samples_of_another_prompt_are_refused(files, tmp_path):
    def other_prompt(row):
        row["prompt_hash"] = "0" * 64

    rewritten(files["tales"], other_prompt)
    assert "task_hashes" in refusal([files["tales"]], tmp_path)


def test_a_file_cut_in_a_line_is_refused_with_the_line(files, tmp_path):
    files["adding"].write_bytes(files["adding"].read_bytes()[:-300])
    words = refusal([files["adding"]], tmp_path)
    assert "line 20" in words
    assert "in the middle" in words


def test_a_file_cut_between_two_lines_is_refused(files, tmp_path):
    lines = files["adding"].read_bytes().splitlines(keepends=True)
    files["adding"].write_bytes(b"".join(lines[:-1]))
    assert "not of one run, or it is not whole" in refusal([files["adding"]], tmp_path)
    document = json.loads(files["results"].read_text())
    document["task_hashes"] = {}
    files["results"].write_text(json.dumps(document))
    assert "holds 19 documents of adding, the results file 20" in refusal([files["adding"]], tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]"])
def test_an_empty_samples_file_is_refused(files, tmp_path, content):
    files["adding"].write_bytes(content)
    assert "is empty" in refusal([files["adding"]], tmp_path)


def test_a_document_that_stands_there_twice_is_refused(files, tmp_path):
    line = files["adding"].read_bytes().splitlines(keepends=True)[3]
    with files["adding"].open("ab") as file:
        file.write(line)
    words = refusal([files["adding"]], tmp_path)
    assert "line 21: document 3 stands there once more (first in line 4)" in words
    rewritten(files["adding"], without_names)
    assert "document 3 stands there once more" in refusal([files["adding"]], tmp_path)


def test_a_filter_that_lacks_documents_is_refused(files, tmp_path):
    lines = files["told"].read_bytes().splitlines(keepends=True)
    files["told"].write_bytes(b"".join(lines[:-2]))
    assert "first-word 12, whole 10" in refusal([files["told"]], tmp_path)


def test_a_value_that_is_no_number_is_refused(files, tmp_path):
    text = files["adding"].read_text("utf-8")
    value = '"acc": 1.0' if '"acc": 1.0' in text else '"acc": 0.0'
    files["adding"].write_text(text.replace(value, '"acc": NaN', 1), "utf-8")
    assert "has NaN" in refusal([files["adding"]], tmp_path)
    files["adding"].write_text(text.replace(value, '"acc": 1e999', 1), "utf-8")
    assert "no number" in refusal([files["adding"]], tmp_path)


def test_answers_that_nobody_judged_are_refused(lm, suite, tmp_path):
    run_lm_eval(lm, suite, tmp_path / "out", tasks=["told"], predict_only=True)
    assert "--predict_only" in refusal([tmp_path / "out"], tmp_path)


def test_two_samples_files_of_one_task_are_refused(files, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(files["told"], copy)
    assert "are both of task told" in refusal([*files.values(), copy / files["told"].name], tmp_path)


def test_samples_beside_another_tools_result_are_refused(files, tmp_path):
    files["told"] = files["told"].rename(tmp_path / "model_told.jsonl")
    speed = tmp_path / "speed.json"
    speed.write_text(json.dumps({"avg_latency": 1.0, "latencies": [1.0, 1.0], "percentiles": {"50": 1.0}}))
    with pytest.raises(InvalidImport, match="is a result of vllm"):
        import_files([files["told"], speed], tmp_path / "results", Given(model="m", aggregated=aggregated))


def test_a_folder_without_results_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    assert "holds no results of lm-eval" in refusal([tmp_path], tmp_path, FileMissing)


ODD = [
    None, True, -1, 1.5, 10**400, "x" * 1000, "line\nbreak", "\ud800", [], {}, [[]], [1, 2, 3], {"a": {"b": []}},
    {"gen_args_0": {"arg_0": 5}}, {"gen_args_0": {}}, [["\ud83d"]],
]  # fmt: skip


@pytest.mark.parametrize(
    "key", ["doc_id", "doc", "target", "arguments", "resps", "filter", "metrics", "doc_hash", "acc"]
)
def test_any_value_in_a_row_is_taken_or_refused_in_words(files, key):
    lines = files["adding"].read_text("utf-8").splitlines()
    first = json.loads(lines[0])
    for odd in [*ODD, ...]:
        row = {name: value for name, value in first.items() if name != key}
        row |= {} if odd is ... else {key: odd}
        files["adding"].write_text("\n".join([json.dumps(row), *lines[1:]]) + "\n", "utf-8")
        rows, refused = read_or_refused(files["adding"])
        assert len(rows) in (39, 40) or (refused.startswith(f"{files['adding']}, line 1: ") and len(refused) < 900)
        pa.Table.from_pylist(rows, schema=arrow_schema(SAMPLE_COLUMNS))  # it can be written


def read_or_refused(path):
    try:
        return read_samples(path, [("acc", "none"), ("acc_norm", "none")], "passage").as_samples(), ""
    except InvalidImport as refusal:
        return [], str(refusal)


def test_a_date_as_lm_eval_writes_it_without_fractions_is_one(files, tmp_path):
    when = datetime(2026, 1, 2, 3, 4, 5).isoformat().replace(":", "-")
    moved = [
        path.rename(path.with_name(f"{path.name.rpartition('_')[0]}_{when}{path.suffix}")) for path in files.values()
    ]
    (one,) = import_files(moved[-1:], tmp_path / "results", GIVEN)
    assert one.file == moved[0]
