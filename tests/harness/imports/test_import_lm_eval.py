"""lm-eval's result files, written by lm-eval itself, become accuracy records with its numbers."""

import json

import pytest
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from harness.imports.importing import import_files
from harness.store.query import query
from zoo.errors import InputError

DATA = """
import datasets

def rows(start, stop):
    sums = [{"q": f"{i} + 1 =", "choices": [str(i), str(i + 1)], "gold": 1} for i in range(start, stop)]
    return {"test": datasets.Dataset.from_list(sums)}

def small(**_):
    return rows(0, 15)

def large(**_):
    return rows(15, 40)
"""
TASK = """
task: {name}_sums
custom_dataset: !function data.{name}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{q}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: gold
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
metadata: {{version: 2.0}}
"""
GROUP = """
group: sums
task: [small_sums, large_sums]
aggregate_metric_list: [{metric: acc, weight_by_size: true}]
metadata: {version: 1.0}
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """The file of a run of two tasks in a group, and what lm-eval returned."""
    tasks, out = tmp_path_factory.mktemp("tasks"), tmp_path_factory.mktemp("out")
    (tasks / "data.py").write_text(DATA)
    (tasks / "sums.yaml").write_text(GROUP)
    for name in ("small", "large"):
        (tasks / f"{name}.yaml").write_text(TASK.format(name=name))
    tracker = EvaluationTracker(output_path=str(out))
    results = simple_evaluate(
        model="dummy", model_args="pretrained=nvidia/Minitron-4B-Base", tasks=["sums"], limit=20, bootstrap_iters=100,
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False), evaluation_tracker=tracker, random_seed=7,
    )  # fmt: skip
    returned = json.loads(json.dumps(results["results"]))
    samples = results.pop("samples")
    tracker.save_results_aggregated(results, samples)
    (path,) = out.rglob("results_*.json")
    return path, returned


def test_every_task_and_group_has_lm_evals_own_numbers(tmp_path, result):
    path, returned = result
    (one,) = import_files([path], tmp_path)
    assert {record.task for record in one.records} == {"sums", "small_sums", "large_sums"}
    for record in one.records:
        for score in record.scores:
            assert score.value == returned[record.task][f"{score.metric},{score.filter}"]
            assert score.higher_is_better is True
        assert record.scores
    leaf = {record.task: record for record in one.records}
    assert {score.metric for score in leaf["small_sums"].scores} == {"acc", "acc_norm"}
    assert [leaf[name].scores[0].n for name in ("small_sums", "large_sums", "sums")] == [15, 20, 35]
    assert (leaf["small_sums"].limit, leaf["large_sums"].limit) == (None, 20)
    assert set(leaf["sums"].members) == {"small_sums", "large_sums"}


def test_circumstances_are_taken_over(tmp_path, result):
    (one,) = import_files([result[0]], tmp_path)
    record = one.records[0]
    assert (record.subject.id, record.setting.backend, record.setting.seed) == ("minitron-4b", "dummy", 7)
    assert record.setting.versions["lm-eval"] == record.imported.tool_version == "0.4.13"
    assert "torch" in record.setting.versions
    assert (record.shots, record.task_version) == (0, "2.0")
    assert record.imported.time == "stated"
    assert record.started_at < record.finished_at


def test_scores_view_says_that_they_are_imported(tmp_path, result):
    import_files([result[0]], tmp_path)
    rows = query(tmp_path, "SELECT DISTINCT source, model FROM scores WHERE task = 'small_sums'")
    assert rows == [{"source": "imported", "model": "minitron-4b"}]


def test_metric_whose_direction_is_not_told_is_left_out_by_name(tmp_path, result):
    document = json.loads(result[0].read_text())
    document["higher_is_better"]["sums"]["acc"] = None
    path = tmp_path / "mixed.json"
    path.write_text(json.dumps(document))
    (one,) = import_files([path], tmp_path / "results")
    group = next(record for record in one.records if record.task == "sums")
    assert (group.scores, group.imported.rest["without_direction"]) == ((), "acc")


@pytest.mark.parametrize("bad", ["0.5", float("nan"), float("inf"), True, [0.5]])
def test_score_that_is_no_number_is_refused_and_nothing_stored(tmp_path, result, bad):
    document = json.loads(result[0].read_text())
    document["results"]["large_sums"]["acc,none"] = bad
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="acc,none of large_sums"):
        import_files([path], tmp_path / "results")
    assert not (tmp_path / "results").exists()
