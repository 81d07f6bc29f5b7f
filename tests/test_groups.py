"""A group's score is lm-eval's own."""

import json

import pytest


def test_mmlu_group_equals_lm_evals_aggregate(minizoo, stories, data, tmp_path):
    from lm_eval.api.metrics import aggregate_subtask_metrics, pooled_sample_stderr

    argv = ["eval", "--model", stories, "--tasks", "mmlu_humanities", "--limit", 6, "--overflow", "truncate"]
    ran = minizoo(*argv, "--data", data, "--results", tmp_path, "--device", "cpu", "--json")
    assert ran.code == 0, ran.err
    records = {record["task"]: record for record in ran.json()["records"]}
    group = records.pop("mmlu_humanities")
    assert set(group["members"]) == set(records)
    leaves = [record["scores"][0] for record in records.values()]
    sizes = [leaf["n"] for leaf in leaves]
    (score,) = group["scores"]
    assert score["n"] == sum(sizes) == 78
    assert score["value"] == pytest.approx(aggregate_subtask_metrics([leaf["value"] for leaf in leaves], sizes))
    assert score["stderr"] == pytest.approx(pooled_sample_stderr([leaf["stderr"] for leaf in leaves], sizes))
    assert score["chance"] == 0.25
    on_disk = [json.loads(path.read_text())["task"] for path in tmp_path.glob("runs/*/*/*/record.json")]
    assert sorted(on_disk) == sorted([*records, "mmlu_humanities"])
