"""gpu_rows on a machine of known times, and workloads that suit the shipped models."""

import pytest
from support.lent_machine import LentMachine


@pytest.fixture
def lent(monkeypatch, capsys, tmp_path):
    return LentMachine(monkeypatch, capsys, tmp_path)


@pytest.fixture
def two_batches(tmp_path):
    """A workload of batches 1 and 2: two steps for a model alone."""
    return workload(tmp_path, "two", "[1, 2]")


@pytest.fixture
def sweep(tmp_path):
    """A workload whose batch doubles."""
    return workload(tmp_path, "doubling", "sweep")


def workload(folder, name, batches):
    path = folder / f"{name}.yaml"
    path.write_text(f"name: {name}\nshapes: [{{input: 16, output: 8}}]\nbatches: {batches}\n", "utf-8")
    return path
