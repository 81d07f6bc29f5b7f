"""Whole commands over a real vLLM: conformance, an evaluation equal to hf's, two backends in one run, a bench."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from backends.contract import Score, ScoreRequest
from backends.vllm.backend import VllmBackend
from backends.workers.backend import WorkerBackend

DRAWN = "nano_code"
"""The task whose answers are drawn, by each engine's own random numbers."""
SUITE = ("--suite", "nano", "--device", "cpu", "--json")


@pytest.fixture(autouse=True)
def _interpreter(vllm_python: str) -> None:
    """Every test of this file needs one; the commands find it by themselves."""
    assert vllm_python


def values(outcome: Any) -> dict[tuple[str, str], tuple[float, int]]:
    """(task, metric) → (value, documents) of an evaluation's JSON."""
    return {
        (record["task"], f"{score['metric']},{score['filter']}"): (score["value"], score["n"])
        for record in outcome["records"]
        for score in record["scores"]
    }


def test_every_check_of_conformance_passes(minizoo: Any, tmp_path: Path):
    ran = minizoo("conformance", "--backend", "vllm", "--model", "nano-teacher", "--results", tmp_path, "--json")
    checks = ran.json()["checks"]
    failed = [check for check in checks if check["verdict"] == "fail"]
    assert (ran.code, failed) == (0, []), ran.err
    assert sum(check["verdict"] == "pass" for check in checks) >= 12


def test_an_evaluation_has_hfs_scores(minizoo: Any, tmp_path: Path):
    ours = minizoo("eval", "nano-teacher", *SUITE, "--backend", "hf", "--results", tmp_path / "hf")
    theirs = minizoo("eval", "nano-teacher", *SUITE, "--backend", "vllm", "--results", tmp_path / "vllm")
    assert (ours.code, theirs.code) == (0, 0), theirs.err
    expected, found = values(ours.json()), values(theirs.json())
    assert found.keys() == expected.keys()
    for key, (value, documents) in expected.items():
        assert found[key][1] == documents
        near = {"abs": 0.15} if key[0] == DRAWN else {"rel": 1e-5}
        assert found[key][0] == pytest.approx(value, **near), key
    (record, *_) = [json.loads(path.read_text()) for path in (tmp_path / "vllm").glob("runs/*/*/*/record.json")]
    assert record["setting"]["backend"] == "vllm"
    assert "vllm" in record["setting"]["versions"]


def test_a_killed_worker_in_the_midst_of_an_evaluation_changes_no_score(
    minizoo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = minizoo("eval", "nano-teacher", *SUITE, "--limit", 20, "--backend", "vllm", "--results", tmp_path / "whole")
    killed: list[int] = []
    score = VllmBackend.score

    def deadly(self: VllmBackend, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        for number, answer in enumerate(score(self, requests)):
            worker = self._worker
            if number == 25 and not killed and isinstance(worker, WorkerBackend) and worker.worker.pid:
                killed.append(worker.worker.pid)
                os.kill(worker.worker.pid, signal.SIGKILL)
            yield answer

    monkeypatch.setattr(VllmBackend, "score", deadly)
    broken = minizoo(
        "eval", "nano-teacher", *SUITE, "--limit", 20, "--backend", "vllm", "--results", tmp_path / "killed"
    )
    assert killed
    assert broken.code == whole.code == 0, broken.err
    expected, found = values(whole.json()), values(broken.json())
    assert found.keys() == expected.keys()
    for key, (value, documents) in expected.items():
        assert found[key] == (pytest.approx(value, rel=1e-5), documents), key


def test_one_run_scores_with_one_backend_and_generates_with_another(minizoo: Any, tmp_path: Path):
    both = "score=pruned,generate=vllm"
    ran = minizoo("eval", "nano-teacher", *SUITE, "--limit", 8, "--backend", both, "--results", tmp_path)
    assert ran.code == 0, ran.err
    plain = minizoo("eval", "nano-teacher", *SUITE, "--limit", 8, "--backend", "hf", "--results", tmp_path / "hf")
    expected, found = values(plain.json()), values(ran.json())
    for key, (value, documents) in expected.items():
        assert found[key][1] == documents
        assert key[0] == DRAWN or found[key][0] == pytest.approx(value, rel=1e-5), key
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/*/*/record.json")]
    assert {record["setting"]["backend"] for record in records} == {both}


@pytest.mark.parametrize("weights", ["real", "random"])
def test_a_bench_has_a_time_for_every_token(minizoo: Any, tmp_path: Path, weights: str):
    workload = tmp_path / "short.yaml"
    workload.write_text(
        "name: short\nshapes: [{input: 16, output: 8}]\nbatches: [1, 4]\nrule: {trials: 6, seconds: 0}\n", "utf-8"
    )
    ran = minizoo(
        "bench", "nano-teacher", "--workload", workload, "--backend", "vllm", "--weights", weights, "--device", "cpu",
        "--results", tmp_path, "--even-if-busy", "--json",
    )  # fmt: skip
    assert ran.code in (0, 3), ran.err  # 3: the machine of the test was busy, and the record says so
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/*/*/record.json")]
    assert {record["status"] for record in records} == {"ok"}
    assert len(records) == 2
    for record in records:
        middle = {s["metric"]: s for s in record["speed"]["statistics"] if s["statistic"] == "p50"}
        assert {"ttft", "itl", "output_rate"} <= set(middle)
        assert "vllm" in record["setting"]["versions"]
