"""The commands over the fake package: an evaluation equal to hf's, a bench of drawn weights with a time a token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fake_trtllm.local import LocalBackend, LocalWorker, installed

from backends.tokenizer import HfTokenizer
from zoo.checkpoint.locate import Checkpoint

SHORT = "name: short\nshapes: [{input: 16, output: 8}]\nbatches: [1, 4]\nrule: {trials: 6, seconds: 0}\n"


@pytest.fixture
def in_this_process(numbers: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What would open a worker opens the engine file here, over the fake package."""
    with installed(numbers) as module:

        def open_here(name: str, engine_file: str, checkpoint: Checkpoint, told: Any, **rest: Any) -> Any:
            # The fake computes on the CPU, and is measured as what it is.
            options = {"device": "cpu", "engine": dict(told.engine), "random_weights": told.random_weights}
            worker: Any = LocalWorker(module.Engine(str(checkpoint.folder), options))
            return LocalBackend(worker, rest["tokenizer"] or HfTokenizer(checkpoint.folder))

        monkeypatch.setattr("backends.driven.backend.open_worker", open_here)
        monkeypatch.setenv("MINIZOO_TRTLLM_PYTHON", "python3")
        monkeypatch.setattr("torch.version.cuda", None)
        yield


def test_an_evaluation_has_hfs_scores(minizoo: Any, in_this_process: None, tmp_path: Path):
    words = ("eval", "nano-teacher", "--tasks", "nano_words", "--limit", 4, "--json")
    ran = minizoo(*words, "--backend", "trtllm", "--device", "cuda:0", "--results", tmp_path / "trtllm")
    assert ran.code == 0, ran.err
    plain = minizoo(*words, "--backend", "hf", "--device", "cpu", "--dtype", "float32", "--results", tmp_path / "hf")
    found, expected = ({one["task"]: one["scores"] for one in json.loads(each.out)["records"]} for each in (ran, plain))
    for task, scores in expected.items():
        for ours, theirs in zip(found[task], scores, strict=True):
            assert ours["value"] == pytest.approx(theirs["value"], rel=1e-5), (task, ours["metric"])


def test_a_bench_of_drawn_weights_has_a_time_for_every_token(minizoo: Any, in_this_process: None, tmp_path: Path):
    workload = tmp_path / "short.yaml"
    workload.write_text(SHORT, "utf-8")
    ran = minizoo(
        "bench", "nano-teacher", "--workload", workload, "--backend", "trtllm", "--weights", "random", "--device",
        "cuda:0", "--results", tmp_path, "--even-if-busy", "--json",
    )  # fmt: skip
    assert ran.code in (0, 3), ran.err
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/*/*/record.json")]
    assert {record["status"] for record in records} == {"ok"}
    assert len(records) == 2
    for record in records:
        middle = {one["metric"] for one in record["speed"]["statistics"] if one["statistic"] == "p50"}
        assert {"ttft", "itl", "output_rate"} <= middle
        assert record["speed"]["weights"] == "random"
        assert "dummy loader" in record["setting"]["versions"]["weights"]
