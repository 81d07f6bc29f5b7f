"""Decode steps that were measured on a GPU, out of the store."""

import pytest

import harness.store.measured_steps as measured
from zoo.arch.gpus import load_gpus
from zoo.registry.loader import load_registry
from zoo.search.latency import Load

H100 = load_gpus()["h100-sxm"]


def row(**changes):
    return {
        "model": "minitron-4b", "gpu": "NVIDIA H100 80GB HBM3", "dtype": "bfloat16", "batch": 4, "input_tokens": 512,
        "output_tokens": 130, "seconds": 0.004, **changes,
    }  # fmt: skip


def test_a_row_is_the_registrys_dims_at_the_mean_context_of_the_decode_steps(monkeypatch, tmp_path):
    others = [
        row(gpu="NVIDIA A100-SXM4-80GB"),
        row(model="a folder of somebody's"),
        row(model="nemotron-nano-9b-v2"),  # a hybrid has no shape of these axes
        row(dtype="auto"),
    ]
    monkeypatch.setattr(measured, "query", lambda *_: [row(), *others])
    (found,) = measured.measured_steps(tmp_path, H100)
    assert found.dims == load_registry().models["minitron-4b"].architecture
    assert (found.load, found.seconds) == (Load(4, 576, "bfloat16", "bfloat16"), 0.004)


def test_without_a_results_folder_there_are_none(tmp_path):
    assert measured.measured_steps(tmp_path / "none", H100) == []


def test_the_query_is_one_that_the_store_answers(tmp_path):
    assert measured.measured_steps(tmp_path, H100) == []


@pytest.mark.parametrize("needed", ["itl", "p50", "valid"])
def test_it_asks_for_valid_medians_of_the_time_between_tokens(needed):
    assert needed in measured.SQL
