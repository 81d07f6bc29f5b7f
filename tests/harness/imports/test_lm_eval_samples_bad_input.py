"""Samples files of lm-eval that are cut, mixed up or odd are refused in words that name the place, and store nothing."""

import json
import shutil

import pyarrow as pa
import pytest
from support.imported import AS_COMMAND, rewritten, without_names
from support.lm_eval_runs import run_lm_eval

from harness.imports.drafts import Given
from harness.imports.importing import import_files
from harness.imports.lm_eval_samples import read_samples
from harness.lmeval.estimates import aggregated
from harness.records.columns import arrow_schema
from harness.records.files import SAMPLE_COLUMNS, TEXT_COLUMNS
from zoo.errors import FileMissing, InvalidImport


def refusal(paths, tmp_path, error=InvalidImport):
    """The words in which they are refused; nothing is stored."""
    with pytest.raises(error) as caught:
        import_files(paths, tmp_path / "refused", AS_COMMAND)
    assert not (tmp_path / "refused").exists()
    words = str(caught.value)
    assert len(words) < 900
    assert "\n" not in words
    return words


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
    group = files["tales"].rename(files["tales"].with_name(files["tales"].name.replace("tales", "both")))
    assert "not of one run" in refusal([group], tmp_path)
    files["boolq"].rename(files["adding"])
    assert "not of one run" in refusal([files["adding"]], tmp_path)


def test_samples_of_a_task_without_a_score_are_refused(files, tmp_path):
    document = json.loads(files["results"].read_text())
    document["results"]["told"] = {"alias": "told"}
    files["results"].write_text(json.dumps(document))
    assert "has no score" in refusal([files["told"]], tmp_path)


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
        pa.Table.from_pylist(rows, schema=arrow_schema({**SAMPLE_COLUMNS, **TEXT_COLUMNS}))  # it can be written


def read_or_refused(path):
    try:
        return read_samples(path, [("acc", "none"), ("acc_norm", "none")], "passage").as_samples(), ""
    except InvalidImport as refusal:
        return [], str(refusal)
