"""Workloads as data."""

import pytest

from harness.speed.workloads.workload import load_workload
from zoo.errors import InvalidWorkload


@pytest.mark.parametrize("key", ["slo", "limits"])
def test_a_workload_states_its_service_level_under_either_key(tmp_path, key):
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: mine\nshapes: [{{input: 8, output: 4}}]\nbatches: [1]\n{key}: {{ttft: 2.0}}\n")
    assert load_workload(str(file)).slo.ttft == 2.0


def test_a_workload_keeps_the_digest_that_older_records_have():
    assert load_workload("chat").digest()[:16] == "0cbf12bd78b4a5e8"


def test_a_workload_file_is_checked(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nshapes: [{input: 8, output: 0}]\nbatches: [1]\n")
    with pytest.raises(InvalidWorkload, match=r"shapes\.0\.output"):
        load_workload(str(file))
    file.write_text("name: [\n")
    with pytest.raises(InvalidWorkload):
        load_workload(str(file))
