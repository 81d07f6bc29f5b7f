"""A group's score is lm-eval's own, under the rules of its suite entry."""

import json

import pytest

SUITE = """\
name: humanities
folders: [lm_eval/tasks/mmlu/default]
tasks:
  - {task: mmlu_humanities, shots: 0, limit: 6, overflow: truncate}
"""


def test_mmlu_group_equals_lm_evals_aggregate_by_the_subjects_whole_sizes(minizoo, stories, data, tmp_path):
    from lm_eval.api.metrics import aggregate_subtask_metrics

    suite = tmp_path / "humanities.yaml"
    suite.write_text(SUITE)
    argv = ["eval", "--model", stories, "--suite", suite]
    ran = minizoo(*argv, "--data", data, "--results", tmp_path, "--device", "cpu", "--json")
    assert ran.code == 0, ran.err
    records = {record["task"]: record for record in ran.json()["records"]}
    group = records.pop("mmlu_humanities")
    assert set(group["members"]) == set(records)
    for record in (group, *records.values()):
        assert (record["limit"], record["overflow"], record["shots"]) == (6, "truncate", 0)
    leaves = [record["scores"][0] for record in records.values()]
    sizes = [leaf["total"] for leaf in leaves]
    (score,) = group["scores"]
    assert (score["n"], score["total"]) == (78, 4705)
    assert score["value"] == pytest.approx(aggregate_subtask_metrics([leaf["value"] for leaf in leaves], sizes))
    strata = sum((size / 4705 * leaf["stderr"]) ** 2 for size, leaf in zip(sizes, leaves, strict=True))
    assert score["stderr"] == pytest.approx(strata**0.5)
    assert 0 < score["whole_stderr"] < score["stderr"]
    assert 0 <= score["lower"] < score["value"] < score["upper"] <= 1
    assert group["counts"]["documents"] == 78
    assert score["chance"] == 0.25
    shown = minizoo(*argv, "--data", data, "--results", tmp_path / "again", "--device", "cpu")
    assert "mmlu_humanities" in shown.out
    assert "mmlu_philosophy" not in shown.out
    assert "13 tasks that a group stands for" in shown.out
    on_disk = [json.loads(path.read_text())["task"] for path in tmp_path.glob("runs/*/*/*/record.json")]
    assert sorted(on_disk) == sorted([*records, "mmlu_humanities"])
